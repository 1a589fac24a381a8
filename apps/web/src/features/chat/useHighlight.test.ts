import { expect, it } from "vitest";
import { wholeLines } from "./useHighlight";

it("takes lines by the number, and only whole ones", () => {
  expect(wholeLines("a\nb", 2)).toBe("");
  expect(wholeLines("a\nb\n", 2)).toBe("a\nb");
  expect(wholeLines("a\nb\nc\nd\ne", 2)).toBe("a\nb\nc\nd");
});
