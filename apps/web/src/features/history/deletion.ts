/** Chats go from view at once, and from the gateway when it is too late to undo. */
import { deleteChat } from "@/lib/api/chat";
import { type ChatSummary, HISTORY_KEY } from "@/lib/api/history";
import { hasStarved, unlist } from "@/lib/api/historyPages";
import { t } from "@/lib/i18n";
import { notifyError, notifyUndo } from "@/lib/notify";
import { queryClient, reread } from "@/lib/queryClient";
import { createUndoQueue } from "@/lib/undoQueue";

const deletions = createUndoQueue({
  act: deleteChat,
  onDone: (chatIds) => {
    unlist(queryClient, chatIds);
    // A list that is being read may still have them.
    const isReading = queryClient.isFetching({ queryKey: HISTORY_KEY }) > 0;
    if (isReading || hasStarved(queryClient)) void reread(queryClient, HISTORY_KEY);
  },
  onFailed: (error) => void notifyError(error),
});

window.addEventListener("pagehide", deletions.flush);

/** The chats that look deleted. */
export const deletedChats = deletions.pending;

export function deleteChats(chats: ChatSummary[]): void {
  const batch = deletions.add(chats.map(({ id }) => id));
  const [{ title } = { title: "" }] = chats;
  void notifyUndo(t("history:deleted", { count: chats.length, title }), {
    label: t("history:undo"),
    onUndo: batch.undo,
    onGone: () => void batch.settle(),
  });
}
