import { useMediaQuery } from "@/lib/useMediaQuery";
import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import type { Row } from "./rows";

const OVERSCAN = 12;
/** In rem: the rows grow with the reader's text. */
const HEIGHT_BY_KIND: Record<Row["kind"], number> = {
  foldersHeading: 2,
  newFolder: 2.25,
  folder: 2.25,
  heading: 2.5,
  chat: 2.25,
  empty: 2.25,
  ending: 6,
};
const TOUCH_HEIGHT_REM = 2.75;

/** Only the rows in view are in the page, and the one that has the focus or would get it. */
export function useVirtualRows(
  rows: Row[],
  tabStop: number,
  scroller: RefObject<HTMLElement | null>,
) {
  const isTouch = useMediaQuery("(pointer: coarse)");
  const [remPx] = useState(() =>
    Number.parseFloat(getComputedStyle(document.documentElement).fontSize),
  );
  // oxlint-disable-next-line react/incompatible-library -- nothing here is memoized by a compiler
  return useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: useCallback((place: number) => rows[place]?.key ?? place, [rows]),
    estimateSize: (place) => heightRem(rows[place], isTouch) * remPx,
    overscan: OVERSCAN,
    rangeExtractor: (range) => {
      const places = new Set(defaultRangeExtractor(range));
      if (tabStop >= 0 && tabStop < rows.length) places.add(tabStop);
      return [...places].toSorted((one, other) => one - other);
    },
    useFlushSync: false,
  });
}

function heightRem(row: Row | undefined, isTouch: boolean): number {
  const height = row ? HEIGHT_BY_KIND[row.kind] : 0;
  return isTouch ? Math.max(height, TOUCH_HEIGHT_REM) : height;
}

/** The row that Tab leads to, and whether the focus is to go there now. */
export interface Current {
  key: string;
  isWanted: boolean;
}

/** Moves the focus to the wanted row, as soon as nobody writes in the list. */
export function useRowFocus(
  current: Current | null,
  list: RefObject<HTMLElement | null>,
  show: () => void,
): void {
  const done = useRef<Current>(null);
  useEffect(() => {
    if (!current?.isWanted || done.current === current) return;
    if (list.current?.contains(document.activeElement) && isWriting()) return;
    const row = list.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(current.key)}"]`);
    if (!row) return;
    done.current = current;
    show();
    row.focus({ preventScroll: true });
  });
}

function isWriting(): boolean {
  return document.activeElement instanceof HTMLInputElement;
}
