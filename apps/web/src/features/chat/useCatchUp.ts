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
    const unsubscribe = onQuestionElsewhere(conversation.chat.id, look);
    return () => {
      left.abort();
      unsubscribe();
      conversation.deletions.flush();
    };
  }, [conversation]);
}
