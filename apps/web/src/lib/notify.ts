/** Short messages that appear over the page and leave by themselves. */
import { errorMessage } from "@/lib/errors";

const ERROR_DURATION_MS = 8_000;

export async function notifyError(error: unknown): Promise<void> {
  const message = errorMessage(error);
  const { toast } = await import("sonner");
  // The id keeps one failure, reported from several places, from becoming several toasts.
  toast.error(message, { id: message, testId: "toast", duration: ERROR_DURATION_MS });
}

/** A deed that cannot be seen where it was asked for. */
export async function notifySuccess(message: string): Promise<void> {
  const { toast } = await import("sonner");
  toast.success(message, { id: message, testId: "toast" });
}

/** Why something that was asked for is not done. */
export async function notifyRefusal(message: string): Promise<void> {
  const { toast } = await import("sonner");
  toast.error(message, { id: message, testId: "toast", duration: ERROR_DURATION_MS });
}
