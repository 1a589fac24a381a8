/** Short messages that appear over the page and leave by themselves. */
import { errorMessage } from "@/lib/errors";
import { toast } from "sonner";

const ERROR_DURATION_MS = 8_000;

export function notifyError(error: unknown): void {
  const message = errorMessage(error);
  // The id keeps one failure, reported from several places, from becoming several toasts.
  toast.error(message, { id: message, testId: "toast", duration: ERROR_DURATION_MS });
}
