import type { UsageRow } from "@/lib/api/usage";
import { expect, it } from "vitest";
import { byDay, byModel } from "./usage";

const rowOf = (day: string, model: string, tokens: number): UsageRow => ({
  day,
  model,
  requests: 1,
  inputTokens: tokens - 1,
  outputTokens: 1,
  micros: tokens * 2,
});
const ROWS = [
  rowOf("2026-03-01", "a", 10),
  rowOf("2026-03-01", "b", 30),
  rowOf("2026-02-27", "a", 5),
];

it("has every day once, the empty ones too, across the end of a month", () => {
  const days = byDay(ROWS, new Date("2026-03-01T23:30:00Z"), 4);
  expect(days.map(({ day, tokens }) => [day, tokens])).toEqual([
    ["2026-02-26", 0],
    ["2026-02-27", 5],
    ["2026-02-28", 0],
    ["2026-03-01", 40],
  ]);
  expect(days[3]).toMatchObject({ requests: 2, micros: 80 });
});

it("puts the most used model first", () => {
  expect(byModel(ROWS)).toEqual([
    { model: "b", requests: 1, tokens: 30, micros: 60 },
    { model: "a", requests: 2, tokens: 15, micros: 30 },
  ]);
  expect(byModel([])).toEqual([]);
});
