import { expect, it } from "vitest";
import { hasMath, withMathMarks } from "./mathText";

it.each([
  ["so \\(a^2\\) it is", "so $$a^2$$ it is"],
  ["so $a^2 + b$ it is", "so $$a^2 + b$$ it is"],
  ["$x$, then", "$$x$$, then"],
  ["\\[\na = b\n\\]", "$$\na = b\n$$"],
  ["- one\n  \\[ a = b \\]", "- one\n  $$\n  a = b\n  $$"],
  ["both: \\[a\\]", "both: $$a$$"],
  ["$$\na\n$$", "$$\na\n$$"],
])("marks the formula in %j", (text, expected) => {
  expect(withMathMarks(text)).toBe(expected);
  expect(hasMath(withMathMarks(text))).toBe(true);
});

it.each([
  "between $5 and $6",
  "$5-$10",
  "`$x$`",
  "```sh\necho $a$\n```",
  "US$5 or CA$6",
  "costs 5$ or 6$",
  "\\$x\\$",
  "no formula",
])("leaves %j alone", (text) => {
  expect(withMathMarks(text)).toBe(text);
  expect(hasMath(text)).toBe(false);
});

it("leaves a formula alone that has not ended yet", () => {
  expect(withMathMarks("so \\(a^2")).toBe("so \\(a^2");
  expect(withMathMarks("so $a^2")).toBe("so $a^2");
});
