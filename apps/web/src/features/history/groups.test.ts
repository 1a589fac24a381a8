import { expect, it } from "vitest";
import { groupByRecency } from "./groups";

const NOW = new Date(2026, 2, 30, 0, 30);
const chatOf = (createdAt: Date) => ({
  id: createdAt.toISOString(),
  title: "",
  folderId: null,
  isArchived: false,
  createdAtMs: createdAt.getTime(),
});

it.each([
  ["today", new Date(2026, 2, 30, 0, 10)],
  ["yesterday", new Date(2026, 2, 29, 23, 50)],
  ["yesterday", new Date(2026, 2, 29, 0, 0)],
  ["lastWeek", new Date(2026, 2, 28, 23, 59)],
  ["lastWeek", new Date(2026, 2, 23, 0, 0)],
  ["lastMonth", new Date(2026, 2, 22, 23, 59)],
  ["older", new Date(2026, 1, 27, 12, 0)],
  ["today", new Date(2026, 2, 30, 0, 31)],
])("%s: %s", (recency, createdAt) => {
  const chats = [chatOf(createdAt)];
  expect(groupByRecency(chats, NOW)).toEqual([{ recency, chats }]);
});

it("keeps the order of the chats and leaves empty groups out", () => {
  const chats = [new Date(2026, 2, 30), new Date(2026, 2, 30), new Date(2020, 0, 1)].map(chatOf);
  const groups = groupByRecency(chats, NOW);
  expect(groups.map(({ recency }) => recency)).toEqual(["today", "older"]);
  expect(groups.flatMap((group) => group.chats)).toEqual(chats);
});
