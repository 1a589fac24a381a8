import { useMediaQuery } from "@/lib/useMediaQuery";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ClipboardEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import {
  type Place,
  type Table,
  cellAt,
  columnName,
  parseTsv,
  width,
  withBlock,
  withCell,
} from "./csv";
import { SheetRow } from "./SheetRow";
import { moved } from "./sheetKeys";

const CELL_WIDTH_REM = 9;
const NUMBER_WIDTH_REM = 3.5;

interface SheetGridProps {
  label: string;
  table: Table;
  active: Place;
  onActivate: (place: Place) => void;
  /** Absent where nobody may edit. */
  onChange: ((table: Table) => void) | undefined;
}

/** The ARIA grid: one cell has the focus, arrows move it, Enter, F2 or a letter edit it. */
export function SheetGrid({ label, table, active, onActivate, onChange }: SheetGridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const hasFocus = useRef(false);
  const [draft, setDraft] = useState<string>();
  const rowHeight = useMediaQuery("(pointer: coarse)") ? 44 : 34;
  const columns = width(table);
  // oxlint-disable-next-line react/incompatible-library -- nothing below is memoised
  const rows = useVirtualizer({
    count: table.length,
    getScrollElement: () => grid.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    scrollPaddingStart: rowHeight,
  });
  const place = {
    row: Math.min(active.row, table.length - 1),
    column: Math.min(active.column, columns - 1),
  };

  useEffect(() => rows.measure(), [rows, rowHeight]);
  useEffect(() => {
    if (hasFocus.current && draft === undefined) {
      const cell = grid.current?.querySelector<HTMLElement>("[role=gridcell][tabindex='0']");
      cell?.focus({ preventScroll: true });
      cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }, [place.row, place.column, draft]);

  function go(next: Place): void {
    rows.scrollToIndex(next.row);
    onActivate(next);
  }

  function finish(key: string): void {
    if (draft !== undefined && key !== "Escape") onChange?.(withCell(table, place, draft));
    setDraft(undefined);
    const size = { rows: table.length, columns };
    if (key === "Enter") go(moved(place, "ArrowDown", false, size) ?? place);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    const isFar = event.ctrlKey || event.metaKey;
    if (draft !== undefined) {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      finish(event.key);
    } else {
      const next = moved(place, event.key, isFar, { rows: table.length, columns });
      if (next) go(next);
      else if (!onChange) return;
      else if (event.key === "Enter" || event.key === "F2") setDraft(cellAt(table, place));
      else if (event.key === "Delete" || event.key === "Backspace")
        onChange(withCell(table, place, ""));
      else if (event.key.length === 1 && !isFar && !event.altKey) setDraft(event.key);
      else return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function onCopy(event: ClipboardEvent): void {
    if (draft !== undefined) return;
    event.clipboardData.setData("text/plain", cellAt(table, place));
    event.preventDefault();
  }

  function onPaste(event: ClipboardEvent): void {
    if (draft !== undefined || !onChange) return;
    onChange(withBlock(table, place, parseTsv(event.clipboardData.getData("text/plain"))));
    event.preventDefault();
  }

  return (
    <div
      ref={grid}
      role="grid"
      aria-label={label}
      aria-rowcount={table.length + 1}
      aria-colcount={columns + 1}
      aria-readonly={!onChange}
      data-testid="artifact-sheet"
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onCopy={onCopy}
      onPaste={onPaste}
      onFocus={() => (hasFocus.current = true)}
      onBlur={(event) => (hasFocus.current = event.currentTarget.contains(event.relatedTarget))}
      className="min-h-0 flex-1 scrollbar-quiet overflow-auto text-sm tabular-nums"
    >
      <div style={{ width: `${NUMBER_WIDTH_REM + columns * CELL_WIDTH_REM}rem` }}>
        <div
          role="row"
          aria-rowindex={1}
          style={{ height: rowHeight }}
          className="sticky top-0 z-10 flex bg-sidebar text-xs text-muted-foreground"
        >
          <span role="columnheader" aria-colindex={1} className="w-14 shrink-0 border-e border-b">
            <span className="sr-only">#</span>
          </span>
          {Array.from({ length: columns }, (_, column) => (
            <span
              key={column}
              role="columnheader"
              aria-colindex={column + 2}
              className="flex w-36 shrink-0 items-center justify-center border-e border-b"
            >
              {columnName(column)}
            </span>
          ))}
        </div>
        <div role="rowgroup" style={{ height: rows.getTotalSize() }} className="relative">
          {rows.getVirtualItems().map(({ index, start }) => (
            <SheetRow
              key={index}
              cells={table[index] ?? []}
              index={index}
              style={{ height: rowHeight, transform: `translateY(${start}px)` }}
              activeColumn={index === place.row ? place.column : undefined}
              draft={index === place.row ? draft : undefined}
              onDraft={setDraft}
              onLeave={() => finish("Tab")}
              onActivate={(column) => onActivate({ row: index, column })}
              onOpen={onChange && ((column) => setDraft(cellAt(table, { row: index, column })))}
            />
          ))}
        </div>
      </div>
    </div>
  );
}
