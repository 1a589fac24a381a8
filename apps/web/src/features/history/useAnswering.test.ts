import { QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, it, vi } from "vitest";

vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
vi.stubGlobal("window", { addEventListener: () => undefined });
const reply = vi.fn<() => Promise<string[]>>();
vi.mock("@/lib/api/history", () => ({ fetchAnswering: reply, HISTORY_KEY: ["history"] }));

beforeEach(() => vi.resetModules());

it("tells of news once", async () => {
  const { answeringQuery } = await import("./useAnswering");
  const { answeringChats } = await import("@/lib/activity");
  const onNews = vi.fn();
  const client = new QueryClient();
  reply.mockResolvedValue(["a"]);
  await client.fetchQuery(answeringQuery(onNews));
  await client.fetchQuery(answeringQuery(onNews));
  expect(answeringChats.get()).toEqual(["a"]);
  expect(onNews).toHaveBeenCalledOnce();
});

it("drops a reply that what happened here has overtaken", async () => {
  const { answeringQuery } = await import("./useAnswering");
  const { answeringChats, noteAnswering } = await import("@/lib/activity");
  const onNews = vi.fn();
  noteAnswering("a", true);
  reply.mockImplementation(() => {
    noteAnswering("a", false);
    return Promise.resolve(["a"]);
  });
  await new QueryClient().fetchQuery(answeringQuery(onNews));
  expect(answeringChats.get()).toEqual([]);
  expect(onNews).not.toHaveBeenCalled();
});
