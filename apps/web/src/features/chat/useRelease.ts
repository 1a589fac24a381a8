import { type RefObject, useEffect } from "react";

const UPWARDS = new Set(["PageUp", "Home", "ArrowUp"]);
/** Less may be the sticking itself. */
const JUMP_PX = 70;

/**
 * Whoever goes up by a key, a finger, the scrollbar or a search is not taken back down.
 *
 * Messages get their size as one comes to them, and a scroll while sizes change is not taken for one's own.
 */
export function useRelease(scroller: RefObject<HTMLElement | null>, release: () => void): void {
  useEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const left = new AbortController();
    const options = { signal: left.signal, passive: true };
    let fingerY = 0;
    let { scrollTop, scrollHeight } = box;

    function onTouchStart({ touches }: TouchEvent): void {
      fingerY = touches[0]?.clientY ?? 0;
    }
    function onTouchMove({ touches }: TouchEvent): void {
      if ((touches[0]?.clientY ?? 0) > fingerY) release();
    }
    function onScroll(element: HTMLElement): void {
      const isJump =
        scrollTop - element.scrollTop > JUMP_PX && element.scrollHeight >= scrollHeight;
      ({ scrollTop, scrollHeight } = element);
      if (isJump) release();
    }
    box.addEventListener("scroll", () => onScroll(box), options);
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
