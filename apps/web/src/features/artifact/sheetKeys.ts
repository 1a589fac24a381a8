/** Where the keys of the ARIA grid pattern lead. */
import type { Place } from "./csv";

const PAGE_ROWS = 10;

export interface Size {
  rows: number;
  columns: number;
}

/** The cell to go to, within the table; undefined for a key that does not move. */
export function moved(place: Place, key: string, isFar: boolean, size: Size): Place | undefined {
  const step = stepOf(place, key, isFar, size);
  if (!step) return undefined;
  return {
    row: Math.min(Math.max(step.row, 0), size.rows - 1),
    column: Math.min(Math.max(step.column, 0), size.columns - 1),
  };
}

function stepOf({ row, column }: Place, key: string, isFar: boolean, { rows, columns }: Size) {
  switch (key) {
    case "ArrowUp":
      return { row: isFar ? 0 : row - 1, column };
    case "ArrowDown":
      return { row: isFar ? rows - 1 : row + 1, column };
    case "ArrowLeft":
      return { row, column: isFar ? 0 : column - 1 };
    case "ArrowRight":
      return { row, column: isFar ? columns - 1 : column + 1 };
    case "Home":
      return { row: isFar ? 0 : row, column: 0 };
    case "End":
      return { row: isFar ? rows - 1 : row, column: columns - 1 };
    case "PageUp":
      return { row: row - PAGE_ROWS, column };
    case "PageDown":
      return { row: row + PAGE_ROWS, column };
    default:
      return undefined;
  }
}
