import type { FileUIPart } from "ai";
import { useEffect, useRef, useState } from "react";
import { type ConversationEnd, EMPTY_DRAFT, fateOf, readDraft, writeDraft } from "./draft";
import { readyParts, useAttachments } from "./useAttachments";

interface DraftOptions {
  chatId: string;
  isNew: boolean;
  /** From the address; it comes before what was kept. */
  initialText: string;
  end: ConversationEnd;
}

/**
 * The unsent text and files of a chat.
 *
 * What is sent leaves the box at once, but is kept until the answer to it begins: a message that
 * did not arrive is there again after a reload.
 */
export function useDraft({ chatId, isNew, initialText, end }: DraftOptions) {
  const key = isNew ? "new" : chatId;
  const [kept] = useState(() => readDraft(key));
  const [shown] = useState(() => (fateOf(kept, end) === "unsent" ? kept : EMPTY_DRAFT));
  const [text, setText] = useState(initialText || shown.text);
  const uploads = useAttachments(shown.files);
  const isPending = useRef(shown !== kept);

  const parts = readyParts(uploads.attachments);
  const written = JSON.stringify({ text, files: parts });
  const isEmpty = text === "" && parts.length === 0;

  useEffect(() => {
    // An empty box must not wipe out what has just been sent.
    if (isEmpty && isPending.current) return;
    isPending.current = false;
    writeDraft(key, JSON.parse(written));
  }, [key, written, isEmpty]);

  useEffect(() => {
    if (!isPending.current || fateOf(readDraft(key), end) !== "arrived") return;
    isPending.current = false;
    writeDraft(key, EMPTY_DRAFT);
  });

  /** Empties the box; what was in it stays kept until the gateway has it. */
  function release(sentText: string, files: FileUIPart[]): void {
    if (isNew) writeDraft("new", EMPTY_DRAFT);
    writeDraft(chatId, { text: sentText, files, sentAfter: end.answerId ?? null });
    isPending.current = true;
    setText("");
    uploads.clear();
  }

  return { ...uploads, parts, text, setText, release };
}
