/** Short messages that appear over the page and leave by themselves. */
import { errorMessage } from "@/lib/errors";

const ERROR_DURATION_MS = 8_000;
const UNDO_DURATION_MS = 6_000;

interface Undo {
  label: string;
  onUndo: () => void;
  /** The message has left, and with it the chance to undo. */
  onGone: () => void;
}

export async function notifyUndo(message: string, { label, onUndo, onGone }: Undo): Promise<void> {
  const { toast } = await import("sonner");
  toast(message, {
    testId: "toast",
    duration: UNDO_DURATION_MS,
    action: { label, onClick: onUndo },
    onAutoClose: onGone,
    onDismiss: onGone,
  });
}

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
