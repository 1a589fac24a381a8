import type { DiffSpan } from "@/lib/api/documents";

/** What of a comparison was in the older text. */
export function oldSide(spans: DiffSpan[]): DiffSpan[] {
  return spans.filter(({ kind }) => kind !== "insert");
}

/** What of it is in the newer one. */
export function newSide(spans: DiffSpan[]): DiffSpan[] {
  return spans.filter(({ kind }) => kind !== "delete");
}
