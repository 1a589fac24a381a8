import type { Curves, Row } from "@/lib/api/runs";
import { describe, expect, it } from "vitest";
import { appended, halved, smoothed, spread, stepAt } from "./curves";

const NOTHING: Curves = {
  steps: [],
  times: [],
  counts: [],
  columns: {},
  rowCount: 0,
  metricsEnd: "0-0",
};
const rows = (first: number, last: number): Row[] =>
  Array.from({ length: last - first + 1 }, (_, place) => {
    const step = first + place;
    return { step, t: 100 + step, loss: 1 / step };
  });

describe("appended", () => {
  it("adds later rows as points of their own and leaves the given curves alone", () => {
    const before = appended(NOTHING, rows(1, 2));
    const after = appended(before, [{ step: 3, t: 103, loss: 0.5, heldout_loss: 2 }]);
    expect(after.steps).toEqual([1, 2, 3]);
    expect(after.columns["heldout_loss"]?.mean).toEqual([null, null, 2]);
    expect(after.columns["loss"]?.most).toEqual([1, 0.5, 0.5]);
    expect(before.steps).toEqual([1, 2]);
  });

  it("passes over rows that are told again, and what is no finite number", () => {
    const before = appended(NOTHING, rows(1, 2));
    expect(appended(before, rows(1, 2))).toBe(before);
    const after = appended(before, [
      { step: 3, loss: null },
      { step: 3, loss: 9 },
      { step: "4", loss: 9 },
    ]);
    expect(after.columns["loss"]?.mean).toEqual([1, 0.5, null]);
  });

  it("never has more than twice the points, whatever comes", () => {
    let curves = NOTHING;
    for (let first = 1; first < 9_000; first += 100) {
      curves = appended(curves, rows(first, first + 99));
    }
    expect(curves.steps.length).toBeLessThanOrEqual(2_000);
    expect(curves.counts.reduce((total, count) => total + count, 0)).toBe(9_000);
    expect(curves.columns["loss"]?.most[0]).toBe(1);
    expect(curves.steps.at(-1)).toBe(9_000);
  });
});

describe("halved", () => {
  it("weighs by the rows that points stand for and keeps the extremes", () => {
    const column = { mean: [1, 4, null], least: [0, 3, null], most: [2, 9, null] };
    const curves = { ...NOTHING, steps: [1, 4, 5], times: [1, null, 3], counts: [1, 3, 1] };
    const half = halved({ ...curves, columns: { loss: column } });
    expect(half.steps).toEqual([4, 5]);
    expect(half.counts).toEqual([4, 1]);
    expect(half.columns["loss"]).toEqual({ mean: [3.25, null], least: [0, null], most: [9, null] });
  });
});

describe("smoothed", () => {
  it("changes nothing at weight 0 and a constant never", () => {
    expect(smoothed([1, null, 3], 0)).toEqual([1, null, 3]);
    for (const value of smoothed([2, 2, 2], 0.9)) expect(value).toBeCloseTo(2);
  });

  it("starts at the first value, lags behind, and leaves gaps open", () => {
    const [first, gap, last] = smoothed([1, null, 3], 0.5);
    expect([first, gap]).toEqual([1, null]);
    expect(last).toBeCloseTo(7 / 3);
  });
});

it("finds the step that was finished last at a moment", () => {
  const curves = appended(NOTHING, rows(1, 3));
  expect([100.5, 101, 102.9, 999].map((time) => stepAt(curves, time))).toEqual([
    undefined,
    1,
    2,
    3,
  ]);
});

it("spreads places evenly, with both ends", () => {
  expect(spread(3, 10)).toEqual([0, 1, 2]);
  expect(spread(101, 3)).toEqual([0, 50, 100]);
});
