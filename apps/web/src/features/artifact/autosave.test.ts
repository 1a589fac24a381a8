import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Autosave, SAVE_AFTER_MS } from "./autosave";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("waits for a pause, and stores the last of what was typed", async () => {
  const save = vi.fn(async () => undefined);
  const autosave = new Autosave(save);
  autosave.edit("a");
  await vi.advanceTimersByTimeAsync(SAVE_AFTER_MS - 1);
  autosave.edit("ab");
  await vi.advanceTimersByTimeAsync(SAVE_AFTER_MS - 1);
  expect(save).not.toHaveBeenCalled();
  expect(autosave.status.get()).toBe("dirty");
  await vi.advanceTimersByTimeAsync(1);
  expect(save.mock.calls).toEqual([["ab"]]);
  expect(autosave.status.get()).toBe("saved");
});

it("writes one at a time, and then what came meanwhile", async () => {
  const ends: (() => void)[] = [];
  const save = vi.fn(() => new Promise<void>((resolve) => void ends.push(resolve)));
  const autosave = new Autosave(save);
  autosave.edit("first");
  void autosave.flush();
  await vi.advanceTimersByTimeAsync(0);
  autosave.edit("second");
  const flushed = autosave.flush();
  await vi.advanceTimersByTimeAsync(0);
  expect(save.mock.calls).toEqual([["first"]]);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  ends[1]?.();
  await flushed;
  expect(save.mock.calls).toEqual([["first"], ["second"]]);
  expect(autosave.status.get()).toBe("saved");
});

it("keeps what could not be stored, and tries again", async () => {
  const save = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("away"));
  const autosave = new Autosave(save);
  autosave.edit("kept");
  await autosave.flush();
  expect(autosave.status.get()).toBe("failed");
  await autosave.flush();
  expect(save.mock.calls).toEqual([["kept"], ["kept"]]);
  expect(autosave.status.get()).toBe("saved");
});

it("has nothing to store at first", async () => {
  const save = vi.fn(async () => undefined);
  await new Autosave(save).flush();
  expect(save).not.toHaveBeenCalled();
});
