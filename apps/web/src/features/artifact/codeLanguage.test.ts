import { expect, it } from "vitest";
import { codeLanguage } from "./codeLanguage";
import { fileName } from "./download";
import { imageUrl } from "./imageUrl";

it.each([
  ["A prime sieve in Python", "", "python"],
  ["sort.ts", "", "typescript"],
  ["Snake in JavaScript", "print(1)", "javascript"],
  ["Java bean", "", "other"],
  ["A list", "const a = [1];\nconsole.log(a)", "javascript"],
  ["A list", "export const a: number = 1;", "typescript"],
  ["A page", "<!doctype html><script>alert(1)</script>", "other"],
  ["A list", "import math\n\nprint(math.pi)", "python"],
  ["A class", "def f(x: int) -> str:\n    return str(x)", "python"],
])("%s is told to be %s", (title, code, language) => {
  expect(codeLanguage(title, code)).toBe(language);
});

it("names files after the title, without anything that leads elsewhere", () => {
  expect(fileName("text", "Notes on: bread / salt?", "")).toBe("Notes-on-bread-salt.md");
  expect(fileName("code", "sieve.py", "print(1)")).toBe("sieve.py");
  expect(fileName("sheet", "../../etc", "")).toBe("etc.csv");
  expect(fileName("text", "???", "")).toBe("document.md");
});

it("shows images from here alone", () => {
  expect(imageUrl("iVBORw0KGgo=")).toBe("data:image/png;base64,iVBORw0KGgo=");
  expect(imageUrl("/api/files/3f2a-b")).toBe("/api/files/3f2a-b");
  expect(imageUrl("https://evil.example/pixel.png")).toBeUndefined();
  expect(imageUrl("data:image/svg+xml;base64,PHN2Zz4=")).toBeUndefined();
  expect(imageUrl("//evil.example/pixel.png")).toBeUndefined();
});
