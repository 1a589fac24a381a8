import { expect, it } from "vitest";
import { textChange } from "./textChange";

it.each([
  ["", "abc"],
  ["abc", ""],
  ["abc", "abcdef"],
  ["abcdef", "abXdef"],
  ["aaa", "aaaa"],
  ["aXa", "aa"],
  ["same", "same"],
  ["one two three", "one 2 three"],
])("makes %j into %j with one replacement", (now, next) => {
  const { from, to, insert } = textChange(now, next);
  expect(now.slice(0, from) + insert + now.slice(to)).toBe(next);
  expect(from).toBeLessThanOrEqual(to);
});

it("touches nothing but what differs", () => {
  expect(textChange("one two three", "one 2 three")).toEqual({ from: 4, to: 7, insert: "2" });
  expect(textChange("abc", "abcd")).toEqual({ from: 3, to: 3, insert: "d" });
});
