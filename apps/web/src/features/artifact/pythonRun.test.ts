import { expect, it } from "vitest";
import {
  type FrameMessage,
  NOT_RUN,
  type Run,
  STARTED,
  frameMessageSchema,
  reduceRun,
} from "./pythonRun";

function after(messages: FrameMessage[], run: Run = STARTED): Run {
  return messages.reduce(reduceRun, run);
}

it("collects what is printed, in order and by stream", () => {
  const run = after([
    { type: "loading" },
    { type: "running" },
    { type: "output", stream: "stdout", text: "a\n" },
    { type: "output", stream: "stdout", text: "b\n" },
    { type: "output", stream: "stderr", text: "oh\n" },
    { type: "figure", png: "iVBO" },
    { type: "done", durationMs: 12 },
  ]);
  expect(run).toEqual({
    phase: "done",
    durationMs: 12,
    printed: [
      { stream: "stdout", text: "a\nb\n" },
      { stream: "stderr", text: "oh\n" },
      { stream: "figure", text: "iVBO" },
    ],
  });
});

it("keeps the error for whoever is to fix it", () => {
  const run = after([{ type: "failed", error: "NameError: x" }]);
  expect(run).toMatchObject({ phase: "failed", error: "NameError: x" });
});

it("says that Python is missing only to who wants to run it", () => {
  expect(after([{ type: "ready", isInstalled: false }]).phase).toBe("missing");
  expect(after([{ type: "ready", isInstalled: false }], NOT_RUN)).toBe(NOT_RUN);
  expect(after([{ type: "ready", isInstalled: true }]).phase).toBe("starting");
});

it("hears nothing after the end", () => {
  const stopped: Run = { phase: "stopped", printed: [] };
  expect(after([{ type: "output", stream: "stdout", text: "late" }], stopped)).toBe(stopped);
});

it("draws twenty pictures at most", () => {
  const many = Array.from({ length: 30 }, () => ({ type: "figure", png: "AAAA" }) as const);
  expect(after(many).printed).toHaveLength(20);
});

it.each([
  { type: "figure", png: '"><script>' },
  { type: "figure", png: "data:text/html,x" },
  { type: "output", stream: "html", text: "<b>" },
  { type: "navigate", url: "https://evil.example" },
  "done",
])("takes no such message from the frame: %j", (message) => {
  expect(frameMessageSchema.safeParse(message).success).toBe(false);
});
