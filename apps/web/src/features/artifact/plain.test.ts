import { expect, it } from "vitest";
import { plain } from "./plain";

it.each([
  ["It is **very** good.", "It is very good."],
  ["## Heading", "Heading"],
  ["- an *item*", "an item"],
  ["see [the page](https://example.com)", "see the page"],
  ["snake_case stays", "snake_case stays"],
  ["3 * 4 stays", "3 * 4 stays"],
])("%s reads %s", (markdown, text) => {
  expect(plain(markdown)).toBe(text);
});
