import { type ChatMessage, stopAnswer } from "@/lib/api/messages";
import { notifyError } from "@/lib/notify";
import type { Chat } from "@ai-sdk/react";
import { useEffect, useState } from "react";

const STOP_GRACE_MS = 2_000;

/** Ends the answer on the server, which then closes the stream; hangs up if it does not. */
export function useStop(chat: Chat<ChatMessage>, isBusy: boolean): () => Promise<void> {
  const [isStopping, setIsStopping] = useState(false);
  if (isStopping && !isBusy) setIsStopping(false);

  useEffect(() => {
    if (!isStopping) return undefined;
    // A stop that came before the answer had begun has stopped nothing.
    const timer = setTimeout(() => {
      void stopAnswer(chat.id)
        .catch(() => undefined)
        .then(() => chat.stop());
    }, STOP_GRACE_MS);
    return () => clearTimeout(timer);
  }, [isStopping, chat]);

  return async () => {
    setIsStopping(true);
    try {
      await stopAnswer(chat.id);
    } catch (error) {
      void notifyError(error);
    }
  };
}
