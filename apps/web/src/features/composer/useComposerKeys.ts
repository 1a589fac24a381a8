import { askToEditLast } from "@/lib/editLast";
import type { KeyboardEvent } from "react";
import type { useCommandMenu } from "./useCommandMenu";
import type { useDraft } from "./useDraft";

interface ComposerKeysOptions {
  draft: ReturnType<typeof useDraft>;
  menu: ReturnType<typeof useCommandMenu>;
  submit: () => void;
}

/** Enter sends; in an empty box Up edits the last question and Backspace takes the last file away. */
export function useComposerKeys({ draft, menu, submit }: ComposerKeysOptions) {
  const { text, attachments, remove } = draft;

  function isHandled(event: KeyboardEvent): boolean {
    const { key, shiftKey } = event;
    if (menu.onKeyDown(event)) return true;
    if (key === "Enter" && !shiftKey) submit();
    else if (text !== "") return false;
    else if (key === "ArrowUp") askToEditLast();
    else if (key === "Backspace") removeLast();
    else return false;
    return true;
  }

  function removeLast(): void {
    const last = attachments.at(-1);
    if (last) remove(last.id);
  }

  return (event: KeyboardEvent): void => {
    // During composition the keys belong to the input method.
    if (event.nativeEvent.isComposing) return;
    if (isHandled(event)) event.preventDefault();
  };
}
