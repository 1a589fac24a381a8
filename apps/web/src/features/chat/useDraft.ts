import { useState } from "react";

/** The unsent text of a chat, kept in this browser until it is sent. */
export function useDraft(chatId: string, initial: string) {
  const key = `raylm:draft:${chatId}`;
  const [draft, setDraft] = useState(() => initial || (localStorage.getItem(key) ?? ""));

  function keepDraft(text: string): void {
    setDraft(text);
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  }
  return [draft, keepDraft] as const;
}
