/** Short messages that appear over the page and leave by themselves. */
import { errorMessage } from "@/lib/errors";

const ERROR_DURATION_MS = 8_000;

export async function notifyError(error: unknown): Promise<void> {
  const message = errorMessage(error);
  const { toast } = await import("sonner");
  // The id keeps one failure, reported from several places, from becoming several toasts.
  toast.error(message, { id: message, testId: "toast", duration: ERROR_DURATION_MS });
}
