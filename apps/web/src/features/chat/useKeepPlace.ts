import { type RefObject, useLayoutEffect, useRef } from "react";

/** What is read stays where it is on screen when messages are put before it. */
export function useKeepPlace(scroller: RefObject<HTMLElement | null>): void {
  const first = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    const box = scroller.current;
    const known = first.current;
    first.current = box?.querySelector("article") ?? null;
    if (!box || !known?.isConnected || !first.current || known === first.current) return;
    box.scrollBy({ top: known.offsetTop - first.current.offsetTop, behavior: "instant" });
  });
}
