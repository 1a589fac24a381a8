import { type RefObject, useEffect } from "react";

/**
 * Where the focus goes with a panel: into it when a person opened it or when it covers the page, and
 * back to what had it. A panel that opens by itself leaves the focus where someone is writing.
 */
export function useReturnFocus(panel: RefObject<HTMLElement | null>, coversPage: boolean): void {
  useEffect(() => {
    const opener = document.activeElement;
    const element = panel.current;
    const isAsked = opener instanceof HTMLElement && opener.dataset["testid"] === "document-card";
    if (isAsked || coversPage) element?.focus();
    return () => {
      const focused = document.activeElement;
      const isOrphan = !focused || focused === document.body || element?.contains(focused);
      if (isOrphan) focusSoon(opener);
    };
    // oxlint-disable-next-line react/exhaustive-deps -- when it opens, not when the window changes
  }, [panel]);
}

/** After the page has been made usable again; where the opener is gone, to where one writes. */
function focusSoon(opener: Element | null): void {
  requestAnimationFrame(() => {
    const isThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body;
    const target = isThere
      ? opener
      : document.querySelector<HTMLElement>("[data-testid=multimodal-input]");
    target?.focus();
  });
}
