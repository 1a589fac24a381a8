import { expect, it } from "vitest";
import { moved } from "./sheetKeys";

const SIZE = { rows: 30, columns: 4 };

it.each([
  ["ArrowUp", false, 4, 1],
  ["ArrowDown", false, 6, 1],
  ["ArrowLeft", false, 5, 0],
  ["ArrowRight", false, 5, 2],
  ["ArrowDown", true, 29, 1],
  ["ArrowRight", true, 5, 3],
  ["Home", false, 5, 0],
  ["End", true, 29, 3],
  ["PageUp", false, 0, 1],
  ["PageDown", false, 15, 1],
])("%s (far: %s) leads to %i, %i", (key, isFar, row, column) => {
  expect(moved({ row: 5, column: 1 }, key, isFar, SIZE)).toEqual({ row, column });
});

it("stays within the table", () => {
  expect(moved({ row: 0, column: 0 }, "ArrowUp", false, SIZE)).toEqual({ row: 0, column: 0 });
  expect(moved({ row: 29, column: 3 }, "PageDown", false, SIZE)).toEqual({ row: 29, column: 3 });
});

it("leaves the other keys alone", () => {
  expect(moved({ row: 0, column: 0 }, "Tab", false, SIZE)).toBeUndefined();
});
