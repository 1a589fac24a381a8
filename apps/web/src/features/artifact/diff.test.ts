import type { DiffSpan } from "@/lib/api/documents";
import { expect, it } from "vitest";
import { newSide, oldSide } from "./diff";

const SPANS: DiffSpan[] = [
  { kind: "equal", text: "Bread with " },
  { kind: "delete", text: "butter" },
  { kind: "insert", text: "jam" },
  { kind: "equal", text: "." },
];
const text = (spans: DiffSpan[]) => spans.map((span) => span.text).join("");

it("gives back either text", () => {
  expect(text(oldSide(SPANS))).toBe("Bread with butter.");
  expect(text(newSide(SPANS))).toBe("Bread with jam.");
});

it("shows on either side only what changed there", () => {
  expect(oldSide(SPANS).some(({ kind }) => kind === "insert")).toBe(false);
  expect(newSide(SPANS).some(({ kind }) => kind === "delete")).toBe(false);
});
