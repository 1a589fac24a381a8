import { beforeEach, expect, it, vi } from "vitest";

const store = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => store.get(key) ?? null,
  setItem: (key: string, value: string) => store.set(key, value),
});
vi.stubGlobal("window", { addEventListener: () => undefined });

beforeEach(() => {
  store.clear();
  vi.resetModules();
});

it("notes an answer that ends unseen, until the chat is opened", async () => {
  const activity = await import("./activity");
  activity.noteOpened("a");
  activity.noteAnswering("a", true);
  expect([...activity.answeringChats.get()]).toEqual(["a"]);
  activity.noteLeft("a");
  expect(activity.unreadChats.get()).toEqual([]);
  activity.noteAnswering("a", false);
  expect([...activity.answeringChats.get()]).toEqual([]);
  expect(activity.unreadChats.get()).toEqual(["a"]);
  activity.noteOpened("a");
  expect(activity.unreadChats.get()).toEqual([]);
});

it("knows that an answer on screen is read", async () => {
  const activity = await import("./activity");
  activity.noteOpened("a");
  activity.noteAnswering("a", true);
  activity.noteAnswering("a", false);
  activity.noteAnswering("a", false);
  expect(activity.unreadChats.get()).toEqual([]);
});

it("remembers a bounded number", async () => {
  const activity = await import("./activity");
  for (let number = 0; number < 250; number += 1) {
    activity.noteAnswering(`c${number}`, true);
    activity.noteAnswering(`c${number}`, false);
  }
  expect(activity.unreadChats.get()).toHaveLength(200);
  expect(activity.unreadChats.get().at(-1)).toBe("c249");
});
