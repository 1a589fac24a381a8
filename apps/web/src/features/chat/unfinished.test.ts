import type { ChatMessage } from "@/lib/api/messages";
import { expect, test } from "vitest";
import { asStopped, unfinishedReason } from "./unfinished";

const question: ChatMessage = { id: "q", role: "user", parts: [] };
const answer: ChatMessage = { id: "a", role: "assistant", parts: [{ type: "text", text: "So" }] };

test("an answer that was hung up on says that it was stopped", () => {
  const [kept, stopped] = asStopped([question, answer]);
  expect(kept).toBe(question);
  expect(stopped?.parts).toBe(answer.parts);
  expect(stopped && unfinishedReason(stopped, false)).toBe("stopped");
});

test("how the gateway told that it ended stands", () => {
  const messages = [question, { ...answer, metadata: { status: "interrupted" as const } }];
  expect(asStopped(messages)).toBe(messages);
});

test("without an answer there is none to mark", () => {
  expect(asStopped([question])).toEqual([question]);
  expect(asStopped([])).toEqual([]);
});
