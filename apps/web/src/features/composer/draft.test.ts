import { expect, it } from "vitest";
import { EMPTY_DRAFT, fateOf } from "./draft";

const SENT_FIRST = { ...EMPTY_DRAFT, text: "Hello", sentAfter: null };
const SENT_LATER = { ...EMPTY_DRAFT, text: "Hello", sentAfter: "answer-1" };

it.each([
  ["never sent", EMPTY_DRAFT, { isEmpty: false, answerId: "answer-1" }, "unsent"],
  ["lost with the whole chat", SENT_FIRST, { isEmpty: true, answerId: undefined }, "unsent"],
  ["lost from a chat", SENT_LATER, { isEmpty: false, answerId: "answer-1" }, "unsent"],
  ["waiting for an answer", SENT_LATER, { isEmpty: false, answerId: undefined }, "pending"],
  ["answered", SENT_LATER, { isEmpty: false, answerId: "answer-2" }, "arrived"],
  ["answered as the first", SENT_FIRST, { isEmpty: false, answerId: "answer-1" }, "arrived"],
])("a draft that was %s", (_, draft, end, fate) => {
  expect(fateOf(draft, end)).toBe(fate);
});
