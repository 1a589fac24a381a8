import type { Model } from "@/lib/api/models";
import { t } from "@/lib/i18n";
import { findConversation } from "./conversations";

/** Asks from beside the composer, as a document's toolbar does; returns whether it was taken. */
export function askChat(chatId: string, text: string, model: Model | undefined): boolean {
  const chat = findConversation(chatId)?.chat;
  if (!chat) return false;
  if (chat.status === "submitted" || chat.status === "streaming") {
    void notifyBusy();
    return false;
  }
  const body = { selectedChatModel: model?.id, selectedVisibilityType: "private" };
  void chat.sendMessage({ text }, { body });
  return true;
}

async function notifyBusy(): Promise<void> {
  const { toast } = await import("sonner");
  const message = t("artifact:busy");
  toast.error(message, { id: message, testId: "toast" });
}
