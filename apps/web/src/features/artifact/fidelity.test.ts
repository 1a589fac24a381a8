import { expect, it } from "vitest";
import { saysTheSame } from "./fidelity";

it("lets markup differ, and numbers of lists", () => {
  expect(saysTheSame("* a *b*\n* c", "- a _b_\n- c\n")).toBe(true);
  expect(saysTheSame("1. a\n1. b", "1. a\n2. b")).toBe(true);
});

it("misses every word, also one of an address", () => {
  expect(saysTheSame("| a | b |\n|---|---|\n| 1 | 2 |", "")).toBe(false);
  expect(saysTheSame("![cat](cat.png)", "cat")).toBe(false);
});
