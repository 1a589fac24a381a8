/** The page can be mirrored for scripts that run from right to left: nothing names a side. */
import { expect, it } from "vitest";

const COMPONENTS = import.meta.glob<string>("./**/*.tsx", {
  query: "?raw",
  import: "default",
  eager: true,
});
const SHEETS = import.meta.glob<string>("./*.css", {
  query: "?raw",
  import: "default",
  eager: true,
});

const SIDED_CLASSES = [
  /^-?(?:scroll-)?[mp][lr]-/,
  /^-?(?:left|right)-/,
  /^(?:border|rounded)-(?:[lr]|[tb][lr])(?:-|$)/,
  /^(?:text|float|clear)-(?:left|right)$/,
  /^slide-(?:in-from|out-to)-(?:left|right)/,
];
const SIDED_PROPERTIES = [
  /(?:^|[\s;{-])(?:left|right)(?:-\w+)*\s*:/,
  /(?:text-align|float|clear)\s*:\s*(?:left|right)/,
];

/** Class names without their variants, wherever they stand in a file. */
function sidedClasses(source: string): string[] {
  const words = source.split(/[\s"'`{}()]+/);
  const names = words.map((word) => word.replace(/^(?:(?:[^:[]|\[[^\]]*\])*:)+/, ""));
  return names.filter((name) => SIDED_CLASSES.some((pattern) => pattern.test(name)));
}

function sidedLines(sheet: string): string[] {
  return sheet.split("\n").filter((line) => SIDED_PROPERTIES.some((pattern) => pattern.test(line)));
}

it.each(["ml-2", "-mr-1", "left-1/2", "pr-11", "rounded-tl-lg", "border-r", "text-left"])(
  "knows the class %s",
  (name) => expect(sidedClasses(`cn("flex data-[state=open]:hover:${name}")`)).toEqual([name]),
);

it.each(["left: 0;", "margin-right: 1px;", "border-left-color: red;", "text-align: right;"])(
  "knows the property %s",
  (line) => expect(sidedLines(`a {\n  ${line}\n}`)).toEqual([`  ${line}`]),
);

it("looks at all there is", () => {
  expect(Object.keys(COMPONENTS).length).toBeGreaterThan(100);
  expect(Object.keys(SHEETS)).toContain("./styles.css");
});

it.each(Object.entries(COMPONENTS))("%s names no side", (_, source) => {
  expect(sidedClasses(source)).toEqual([]);
});

it.each(Object.entries(SHEETS))("%s names no side", (_, sheet) => {
  expect(sidedLines(sheet)).toEqual([]);
});
