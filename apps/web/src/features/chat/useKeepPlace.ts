import { type RefObject, useLayoutEffect, useRef } from "react";

const isAnchoring = CSS.supports("overflow-anchor", "auto");

/**
 * A chat opens at its end, and what is read stays where it is when messages are put before it.
 *
 * The browser's scroll anchoring does the latter, and without a halt of what glides, but not at the
 * very top.
 */
export function useKeepPlace(
  scroller: RefObject<HTMLElement | null>,
  firstId: string | undefined,
): void {
  const first = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const known = first.current;
    first.current = firstId === undefined ? null : box.querySelector("article");
    if (!known) {
      box.scrollTo({ top: box.scrollHeight, behavior: "instant" });
    } else if (known.isConnected && (box.scrollTop === 0 || !isAnchoring)) {
      keepPlace(box, known, first.current);
    }
  }, [scroller, firstId]);
}

function keepPlace(box: HTMLElement, known: HTMLElement, first: HTMLElement | null): void {
  // Half in view, it would be what the browser holds on to while it gets its size.
  const above = known.previousElementSibling;
  if (above instanceof HTMLElement) above.style.contentVisibility = "visible";
  const moved = known.offsetTop - (first ?? known).offsetTop;
  box.scrollBy({ top: moved, behavior: "instant" });
}
