import { expect, it } from "vitest";
import {
  columnName,
  parseCsv,
  parseTsv,
  toCsv,
  withBlock,
  withCell,
  withColumn,
  withRow,
  withoutColumn,
  withoutRow,
} from "./csv";

const TABLE = parseCsv("name,age\nAda,36\nAlan,41\n");

it.each(["a,b\n1,2\n", 'a,"b, c"\n"say ""hi""",2\n', 'a\n"two\nlines"\n', "a,\n,b\n"])(
  "gives back the CSV it was given: %j",
  (csv) => {
    expect(toCsv(parseCsv(csv))).toBe(csv);
  },
);

it("makes rows of one length", () => {
  expect(parseCsv("a,b,c\n1\n")).toEqual([
    ["a", "b", "c"],
    ["1", "", ""],
  ]);
  expect(parseCsv("")).toEqual([[""]]);
});

it("changes one cell and nothing else", () => {
  expect(toCsv(withCell(TABLE, { row: 1, column: 1 }, "37"))).toBe("name,age\nAda,37\nAlan,41\n");
  expect(toCsv(TABLE)).toBe("name,age\nAda,36\nAlan,41\n");
});

it("grows under what is pasted beyond its end", () => {
  const pasted = withBlock(TABLE, { row: 2, column: 1 }, parseTsv("42\tx\n43\ty\n"));
  expect(toCsv(pasted)).toBe("name,age,\nAda,36,\nAlan,42,x\n,43,y\n");
});

it("adds and takes away rows and columns", () => {
  expect(toCsv(withRow(TABLE, 1))).toBe("name,age\n,\nAda,36\nAlan,41\n");
  expect(toCsv(withoutRow(TABLE, 1))).toBe("name,age\nAlan,41\n");
  expect(toCsv(withColumn(TABLE, 2))).toBe("name,age,\nAda,36,\nAlan,41,\n");
  expect(toCsv(withoutColumn(TABLE, 0))).toBe("age\n36\n41\n");
  const one = parseCsv("x");
  expect(withoutColumn(withoutRow(one, 0), 0)).toEqual([["x"]]);
});

it("names columns as spreadsheets do", () => {
  expect([0, 25, 26, 51, 52, 701, 702].map(columnName)).toEqual([
    "A",
    "Z",
    "AA",
    "AZ",
    "BA",
    "ZZ",
    "AAA",
  ]);
});
