import { notifyRefusal } from "@/lib/notify";
import { t } from "@/lib/i18n";
import { findConversation } from "./conversations";
import { requestOptions } from "./requestOptions";

/** Asks from beside the composer, as a document's toolbar does; returns whether it was taken. */
export function askChat(chatId: string, text: string): boolean {
  const conversation = findConversation(chatId);
  if (!conversation) return false;
  const { chat, deletions } = conversation;
  if (chat.status === "submitted" || chat.status === "streaming") {
    void notifyRefusal(t("chat:waitForAnswer"));
    return false;
  }
  deletions.flush();
  void chat.sendMessage({ text }, requestOptions(conversation));
  return true;
}
