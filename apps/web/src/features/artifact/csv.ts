/** A table as rows of cells, every row as long as the longest; edits make new tables. */
import Papa from "papaparse";

export type Table = readonly (readonly string[])[];

export interface Place {
  row: number;
  column: number;
}

export function parseCsv(text: string): Table {
  const { data } = Papa.parse<string[]>(text.replace(/\r?\n$/, ""), { delimiter: "," });
  return rectangular(data.length > 0 ? data : [[""]]);
}

export function toCsv(table: Table): string {
  return `${Papa.unparse(table as string[][], { newline: "\n" })}\n`;
}

/** As other spreadsheets take it from the clipboard. */
export function parseTsv(text: string): Table {
  const { data } = Papa.parse<string[]>(text.replace(/\r?\n$/, ""), { delimiter: "\t" });
  return rectangular(data);
}

export function cellAt(table: Table, { row, column }: Place): string {
  return table[row]?.[column] ?? "";
}

export function withCell(table: Table, place: Place, value: string): Table {
  return withBlock(table, place, [[value]]);
}

/** `block` laid over the table from `place` on; the table grows where it ends too early. */
export function withBlock(table: Table, place: Place, block: Table): Table {
  const rows = Math.max(table.length, place.row + block.length);
  const columns = Math.max(width(table), place.column + width(block));
  return Array.from({ length: rows }, (_, row) =>
    Array.from(
      { length: columns },
      (_cell, column) =>
        block[row - place.row]?.[column - place.column] ?? cellAt(table, { row, column }),
    ),
  );
}

export function withRow(table: Table, at: number): Table {
  return table.toSpliced(
    at,
    0,
    Array.from({ length: width(table) }, () => ""),
  );
}

export function withColumn(table: Table, at: number): Table {
  return table.map((row) => row.toSpliced(at, 0, ""));
}

/** The last row stays: a table has one cell at least. */
export function withoutRow(table: Table, at: number): Table {
  return table.length > 1 ? table.toSpliced(at, 1) : table;
}

export function withoutColumn(table: Table, at: number): Table {
  return width(table) > 1 ? table.map((row) => row.toSpliced(at, 1)) : table;
}

export function width(table: Table): number {
  return table.reduce((widest, row) => Math.max(widest, row.length), 0);
}

/** A, B, … Z, AA, … */
export function columnName(column: number): string {
  const rest = Math.floor(column / 26);
  const letter = String.fromCodePoint(65 + (column % 26));
  return rest > 0 ? columnName(rest - 1) + letter : letter;
}

function rectangular(rows: string[][]): Table {
  const columns = width(rows);
  return rows.map((row) => [...row, ...Array.from({ length: columns - row.length }, () => "")]);
}
