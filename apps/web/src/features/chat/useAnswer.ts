import { type ChatMessage, stopAnswer } from "@/lib/api/messages";
import type { Model } from "@/lib/api/models";
import { OfflineError } from "@/lib/errors";
import { notifyError } from "@/lib/notify";
import { useChat } from "@ai-sdk/react";
import { type Conversation, isIdle } from "./conversations";

const STOP_GRACE_MS = 2_000;
const RENDER_EVERY_MS = 33;

/** The messages of a conversation and the four things one can do about its answer. */
export function useAnswer({ chat }: Conversation, model: Model | undefined) {
  const { messages, status, error } = useChat({ chat, throttle: RENDER_EVERY_MS });
  const options = { body: { selectedChatModel: model?.id, selectedVisibilityType: "private" } };

  /** Returns whether the text was taken: if not, it stays in the box. */
  function send(text: string): boolean {
    if (!navigator.onLine) {
      notifyError(new OfflineError());
      return false;
    }
    void chat.sendMessage({ text }, options);
    return true;
  }

  /** Asks again: for the message that got no answer, or for another answer to the last one. */
  function retry(): void {
    const last = messages.at(-1);
    if (last?.role === "user") void chat.sendMessage(asResubmission(last), options);
    else void chat.regenerate(options);
  }

  /** Ends the answer on the server, which then closes the stream; hangs up if it does not. */
  async function stop(): Promise<void> {
    const question = lastQuestion(chat.messages);
    try {
      await stopAnswer(chat.id);
    } catch (failure) {
      notifyError(failure);
    }
    setTimeout(() => {
      if (!isIdle(chat) && lastQuestion(chat.messages) === question) void chat.stop();
    }, STOP_GRACE_MS);
  }

  return {
    messages,
    error,
    isBusy: status === "submitted" || status === "streaming",
    send,
    retry,
    stop,
  };
}

function asResubmission(message: ChatMessage) {
  return { ...message, messageId: message.id };
}

function lastQuestion(messages: ChatMessage[]): string | undefined {
  return messages.findLast((message) => message.role === "user")?.id;
}
