import * as german from "@/strings/de";
import * as english from "@/strings/en";
import { expect, test } from "vitest";

const PLACEHOLDER = /{{[^}]+}}/g;

test("every language says everything, with the same values put in", () => {
  expect(shape(german)).toEqual(shape(english));
});

/** Every key with the values that its text puts in. */
function shape(strings: object, path = ""): [string, string[]][] {
  return Object.entries(strings).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "object" && value !== null
      ? shape(value, `${path}${key}.`)
      : [[`${path}${key}`, [...new Set(String(value).match(PLACEHOLDER))].toSorted()]],
  );
}
