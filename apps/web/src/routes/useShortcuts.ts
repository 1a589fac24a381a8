import { useEffect, useRef } from "react";

/** Runs the action of a chord such as `mod+shift+o`; mod is Ctrl, or Command on a Mac. */
export function useShortcuts(actionByChord: Record<string, () => void>): void {
  const latest = useRef(actionByChord);
  useEffect(() => {
    latest.current = actionByChord;
  });
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      const action = latest.current[chordOf(event)];
      if (!action) return;
      event.preventDefault();
      action();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

function chordOf(event: KeyboardEvent): string {
  const mod = event.ctrlKey || event.metaKey ? "mod+" : "";
  const shift = event.shiftKey ? "shift+" : "";
  return `${mod}${shift}${event.key.toLowerCase()}`;
}
