import { createSignal } from "@/lib/signal";
import { useEffect, useRef } from "react";
import { type ShortcutActions, shortcutOf } from "./shortcuts";

/** Whether the keyboard map is shown. */
export const isKeyboardMapOpen = createSignal(false);

/** Does what the shortcuts of these names are for, as long as the component is there. */
export function useShortcuts(actions: ShortcutActions): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      const name = shortcutOf(event, isWriting(event.target));
      const action = name && latest.current[name];
      if (!action) return;
      event.preventDefault();
      action();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("input, textarea, select");
}
