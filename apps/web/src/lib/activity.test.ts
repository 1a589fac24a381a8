import { beforeEach, expect, it, vi } from "vitest";

const store = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => store.get(key) ?? null,
  setItem: (key: string, value: string) => store.set(key, value),
});
type Listener = (event: { key: string }) => void;
const listeners = new Set<Listener>();
vi.stubGlobal("window", { addEventListener: (_: string, add: Listener) => listeners.add(add) });

beforeEach(() => {
  store.clear();
  listeners.clear();
  vi.resetModules();
});

/** As another tab does. */
function write(name: string, chatIds: string[]): void {
  store.set(`raylm:${name}`, JSON.stringify(chatIds));
  for (const listener of listeners) listener({ key: `raylm:${name}` });
}

it("notes an answer that ends unseen, until the chat is opened", async () => {
  const activity = await import("./activity");
  activity.noteOpened("a");
  activity.noteAnswering("a", true);
  expect(activity.answeringChats.get()).toEqual(["a"]);
  activity.noteLeft("a");
  expect(activity.unreadChats.get()).toEqual([]);
  activity.noteAnswering("a", false);
  expect(activity.answeringChats.get()).toEqual([]);
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

it("hears of answers elsewhere, and of their ends", async () => {
  const activity = await import("./activity");
  expect(activity.noteAllAnswering(["a", "b"])).toBe(true);
  expect(activity.noteAllAnswering(["a", "b"])).toBe(false);
  activity.noteOpened("b");
  expect(activity.answeringChats.get()).toEqual(["a", "b"]);
  expect(activity.noteAllAnswering([])).toBe(true);
  expect(activity.answeringChats.get()).toEqual([]);
  expect(activity.unreadChats.get()).toEqual(["a"]);
  activity.noteAllAnswering(["a"]);
  expect(activity.unreadChats.get()).toEqual([]);
});

it("does not let the gateway end what this page still receives", async () => {
  const activity = await import("./activity");
  activity.noteAnswering("a", true);
  expect(activity.noteAllAnswering([])).toBe(false);
  expect(activity.answeringChats.get()).toEqual(["a"]);
});

it("still waits after the page was closed", async () => {
  (await import("./activity")).noteAnswering("a", true);
  vi.resetModules();
  const activity = await import("./activity");
  expect(activity.answeringChats.get()).toEqual(["a"]);
  activity.noteAllAnswering([]);
  expect(activity.unreadChats.get()).toEqual(["a"]);
});

it("clears what another tab believes to be unread while it is open here", async () => {
  const activity = await import("./activity");
  activity.noteOpened("a");
  write("unread", ["a", "b"]);
  expect(activity.unreadChats.get()).toEqual(["b"]);
});
