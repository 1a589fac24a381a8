import type { UIMessageChunk } from "ai";
import { expect, it, vi } from "vitest";
import { WatchedChat } from "./watchedChat";

const PARTS: UIMessageChunk[] = [
  { type: "start", messageId: "answer" },
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: "Hello" },
  { type: "text-end", id: "1" },
  { type: "finish" },
];

it("tells of every status that the SDK gives it", async () => {
  const onStatus = vi.fn();
  const transport = {
    sendMessages: () => Promise.resolve(streamOf(PARTS)),
    reconnectToStream: () => Promise.resolve(null),
  };
  const chat = new WatchedChat({ transport }, onStatus);
  await chat.sendMessage({ text: "Hi" });
  const told = onStatus.mock.calls.map(([status]) => String(status));
  expect(told.filter((status, place) => status !== told[place - 1])).toEqual([
    "submitted",
    "streaming",
    "ready",
  ]);
});

function streamOf(parts: UIMessageChunk[]): ReadableStream<UIMessageChunk> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}
