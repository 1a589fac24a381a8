import type { Model } from "@/lib/api/models";
import { OfflineError } from "@/lib/errors";
import { notifyError } from "@/lib/notify";
import { useChat } from "@ai-sdk/react";
import type { FileUIPart } from "ai";
import type { Conversation } from "./conversations";
import { useStop } from "./useStop";

const RENDER_EVERY_MS = 33;

/** The messages of a conversation and what one can do about its answer. */
export function useAnswer({ chat }: Conversation, model: Model | undefined) {
  const { messages, status, error } = useChat({ chat, throttle: RENDER_EVERY_MS });
  const isBusy = status === "submitted" || status === "streaming";
  const stop = useStop(chat, isBusy);
  const options = { body: { selectedChatModel: model?.id, selectedVisibilityType: "private" } };

  /** Returns whether the message was taken: if not, it stays in the box. */
  function send(text: string, files: FileUIPart[]): boolean {
    if (!navigator.onLine) {
      void notifyError(new OfflineError());
      return false;
    }
    void chat.sendMessage(text ? { text, files } : { files }, options);
    return true;
  }

  /** Asks the last question again, answered or not. */
  function retry(): void {
    void chat.regenerate(options);
  }

  return { messages, error, isBusy, send, retry, stop };
}
