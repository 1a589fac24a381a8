import { type RefObject, useEffect } from "react";

/** Messages get their size as one scrolls to them, so these keys are not told by the scrolling. */
const UPWARDS = new Set(["PageUp", "Home", "ArrowUp"]);

/** Whoever goes up by a key, a finger or the scrollbar is not taken back down by a growing answer. */
export function useRelease(scroller: RefObject<HTMLElement | null>, release: () => void): void {
  useEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const left = new AbortController();
    const options = { signal: left.signal, passive: true };
    let fingerY = 0;

    function onTouchStart({ touches }: TouchEvent): void {
      fingerY = touches[0]?.clientY ?? 0;
    }
    function onTouchMove({ touches }: TouchEvent): void {
      if ((touches[0]?.clientY ?? 0) > fingerY) release();
    }
    box.addEventListener("keydown", ({ key }) => UPWARDS.has(key) && release(), options);
    box.addEventListener("pointerdown", (event) => isOnScrollbar(event, box) && release(), options);
    box.addEventListener("touchstart", onTouchStart, options);
    box.addEventListener("touchmove", onTouchMove, options);
    return () => left.abort();
  }, [scroller, release]);
}

function isOnScrollbar({ clientX, target }: PointerEvent, box: HTMLElement): boolean {
  const x = clientX - box.getBoundingClientRect().left - box.clientLeft;
  return target === box && (x < 0 || x >= box.clientWidth);
}
