/** What was used, put together for a table and a chart. */
import type { UsageRow } from "@/lib/api/usage";

export interface Totals {
  requests: number;
  tokens: number;
  micros: number;
}

export interface DayTotals extends Totals {
  day: string;
}

export interface ModelTotals extends Totals {
  model: string;
}

const NOTHING: Totals = { requests: 0, tokens: 0, micros: 0 };
const DAY_MS = 86_400_000;

/** Each of the `count` days until `today`, the oldest first, also those without any use. */
export function byDay(rows: UsageRow[], today: Date, count: number): DayTotals[] {
  const totals = grouped(rows, (row) => row.day);
  return Array.from({ length: count }, (_, index) => {
    const time = today.getTime() - (count - 1 - index) * DAY_MS;
    const day = new Date(time).toISOString().slice(0, 10);
    return { day, ...(totals.get(day) ?? NOTHING) };
  });
}

/** The models that were used, the most used first. */
export function byModel(rows: UsageRow[]): ModelTotals[] {
  const totals = grouped(rows, (row) => row.model ?? "");
  return Array.from(totals, ([model, total]) => ({ model, ...total })).toSorted(
    (a, b) => b.tokens - a.tokens,
  );
}

function grouped(rows: UsageRow[], keyOf: (row: UsageRow) => string): Map<string, Totals> {
  const totals = new Map<string, Totals>();
  for (const row of rows) {
    const { requests, tokens, micros } = totals.get(keyOf(row)) ?? NOTHING;
    totals.set(keyOf(row), {
      requests: requests + row.requests,
      tokens: tokens + row.inputTokens + row.outputTokens,
      micros: micros + row.micros,
    });
  }
  return totals;
}
