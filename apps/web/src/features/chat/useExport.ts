import { fetchMessages } from "@/lib/api/messages";
import { notifyError } from "@/lib/notify";
import { useTranslation } from "react-i18next";
import { conversationMarkdown, download, fileName } from "./exportMarkdown";

/** Saves all of the branch that is seen, also what has not been scrolled to. */
export function useExport(chatId: string, title: string): () => Promise<void> {
  const { t } = useTranslation("chat");
  return async () => {
    try {
      const { messages } = await fetchMessages(chatId);
      const words = { question: t("you"), answer: t("answer"), sources: t("sources") };
      download(fileName(title), conversationMarkdown(title, messages, words));
    } catch (error) {
      void notifyError(error);
    }
  };
}
