import { answeringChats } from "@/lib/activity";
import { useEffect } from "react";
import type { Conversation } from "./conversation";
import { onQuestionElsewhere } from "./otherTabs";
import { catchUp } from "./stored";

/** Keeps a chat that is open in several places the same: by what tabs tell, and on every return. */
export function useCatchUp(conversation: Conversation): void {
  useEffect(() => {
    const left = new AbortController();
    const { signal } = left;

    function look(): void {
      // What cannot be read now will be at the next look.
      if (document.visibilityState === "visible") catchUp(conversation).catch(() => undefined);
    }
    document.addEventListener("visibilitychange", look, { signal });
    window.addEventListener("focus", look, { signal });
    window.addEventListener("online", look, { signal });
    window.addEventListener("pagehide", conversation.deletions.flush, { signal });
    const unsubscribes = [
      onQuestionElsewhere(conversation.chat.id, look),
      onAnswerBegun(conversation.chat.id, look),
    ];
    return () => {
      left.abort();
      for (const unsubscribe of unsubscribes) unsubscribe();
      conversation.deletions.flush();
    };
  }, [conversation]);
}

/** Returns what ends it. */
function onAnswerBegun(chatId: string, listener: () => void): () => void {
  let isAnswering = answeringChats.get().includes(chatId);
  return answeringChats.subscribe(() => {
    const was = isAnswering;
    isAnswering = answeringChats.get().includes(chatId);
    if (isAnswering && !was) listener();
  });
}
