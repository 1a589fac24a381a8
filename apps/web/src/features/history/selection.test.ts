import { expect, it } from "vitest";
import { NOTHING, extended, toggled } from "./selection";

const LISTED = ["a", "b", "c", "d", "e"];

it("chooses one and lets it go", () => {
  const one = toggled(NOTHING, "a");
  expect([...one.ids]).toEqual(["a"]);
  expect([...toggled(one, "a").ids]).toEqual([]);
});

it.each([
  ["b", "d", ["b", "c", "d"]],
  ["d", "b", ["d", "b", "c"]],
  ["c", "c", ["c"]],
])("extends from %s to %s", (from, to, expected) => {
  expect([...extended(toggled(NOTHING, from), to, LISTED).ids]).toEqual(expected);
});

it("keeps what was chosen before, and goes on from the last", () => {
  const twice = extended(extended(toggled(NOTHING, "a"), "b", LISTED), "d", LISTED);
  expect([...twice.ids]).toEqual(["a", "b", "c", "d"]);
});

it("begins where there is nothing to extend from", () => {
  expect(extended(NOTHING, "c", LISTED)).toEqual(toggled(NOTHING, "c"));
  expect([...extended(toggled(NOTHING, "gone"), "c", LISTED).ids]).toEqual(["gone", "c"]);
});
