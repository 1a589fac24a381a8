import type { ChatMessage, MessageMetadata } from "@/lib/api/messages";
import { expect, it } from "vitest";
import { mergeStored } from "./merge";

function said(id: string, text: string, metadata: MessageMetadata = {}): ChatMessage {
  return { id, role: "assistant", metadata, parts: [{ type: "text", text }] };
}

it("keeps the objects of messages that have not changed", () => {
  const shown = [said("1", "one"), said("2", "two")];
  expect(mergeStored(shown, [said("1", "one"), said("2", "two")])).toBe(shown);
});

it("takes what is newer, and keeps what is earlier than the page that was read", () => {
  const shown = [said("1", "one"), said("2", "two")];
  const merged = mergeStored(shown, [said("2", "two"), said("3", "three")]);
  expect(merged.map(({ id }) => id)).toEqual(["1", "2", "3"]);
  expect(merged[1]).toBe(shown[1]);
});

it("takes a message that has changed", () => {
  const shown = [said("1", "one"), said("2", "tw", { status: "streaming" })];
  expect(mergeStored(shown, [said("1", "one"), said("2", "two")])[1]).toEqual(said("2", "two"));
  const sibling = said("1", "one", { siblings: ["0", "1"], siblingIndex: 1 });
  expect(mergeStored(shown, [sibling])[0]).toBe(sibling);
});

it("does not mind the marks of streaming", () => {
  const streamed: ChatMessage = {
    ...said("1", ""),
    metadata: { status: "complete" },
    parts: [{ type: "step-start" }, { type: "text", text: "one", state: "done" }],
  };
  const shown = [streamed];
  expect(mergeStored(shown, [said("1", "one")])).toBe(shown);
});

it("drops what is on screen where the stored branch is another one", () => {
  expect(mergeStored([said("1", "one")], [said("9", "nine")])).toEqual([said("9", "nine")]);
});
