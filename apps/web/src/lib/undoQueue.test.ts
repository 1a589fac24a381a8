import { expect, it, vi } from "vitest";
import { createUndoQueue } from "./undoQueue";

function queueOf(act: (id: string, isLeaving: boolean) => Promise<void> = async () => undefined) {
  const events = { act: vi.fn(act), onDone: vi.fn(), onFailed: vi.fn() };
  return { ...events, queue: createUndoQueue(events) };
}

const pending = ({ queue }: ReturnType<typeof queueOf>) => [...queue.pending.get()];

it("hides at once and acts when settled, once", async () => {
  const all = queueOf();
  const batch = all.queue.add(["a", "b"]);
  expect(pending(all)).toEqual(["a", "b"]);
  expect(all.act).not.toHaveBeenCalled();
  await Promise.all([batch.settle(), batch.settle()]);
  expect(all.act.mock.calls).toEqual([
    ["a", false],
    ["b", false],
  ]);
  expect(all.onDone).toHaveBeenCalledExactlyOnceWith(new Set(["a", "b"]));
  expect(pending(all)).toEqual([]);
});

it("shows again what is undone, and never acts on it", async () => {
  const all = queueOf();
  all.queue.add(["a"]);
  const batch = all.queue.add(["b"]);
  batch.undo();
  await batch.settle();
  expect(pending(all)).toEqual(["a"]);
  expect(all.act).not.toHaveBeenCalled();
});

it("cannot undo what is done", async () => {
  const all = queueOf();
  const batch = all.queue.add(["a"]);
  await batch.settle();
  all.queue.add(["a"]);
  batch.undo();
  expect(pending(all)).toEqual(["a"]);
});

it("shows again what was refused, and tells why", async () => {
  const refusal = new Error("no");
  const all = queueOf((id) => (id === "b" ? Promise.reject(refusal) : Promise.resolve()));
  await all.queue.add(["a", "b"]).settle();
  expect(all.onDone).toHaveBeenCalledExactlyOnceWith(new Set(["a"]));
  expect(all.onFailed).toHaveBeenCalledExactlyOnceWith(refusal);
  expect(pending(all)).toEqual([]);
});

it("acts on everything as the page is left", () => {
  const all = queueOf();
  all.queue.add(["a"]);
  all.queue.add(["b"]).undo();
  all.queue.add(["c"]);
  all.queue.flush();
  all.queue.flush();
  expect(all.act.mock.calls).toEqual([
    ["a", true],
    ["c", true],
  ]);
});
