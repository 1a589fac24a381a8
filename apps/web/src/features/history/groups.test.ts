import { expect, it } from "vitest";
import { groupByRecency } from "./groups";

const NOW = new Date(2026, 2, 30, 0, 30);
const chatOf = (createdAt: Date) => ({ id: createdAt.toISOString(), title: "", createdAt });

it.each([
  ["Today", new Date(2026, 2, 30, 0, 10)],
  ["Yesterday", new Date(2026, 2, 29, 23, 50)],
  ["Yesterday", new Date(2026, 2, 29, 0, 0)],
  ["Last 7 days", new Date(2026, 2, 28, 23, 59)],
  ["Last 7 days", new Date(2026, 2, 23, 0, 0)],
  ["Last 30 days", new Date(2026, 2, 22, 23, 59)],
  ["Older", new Date(2026, 1, 27, 12, 0)],
  ["Today", new Date(2026, 2, 30, 0, 31)],
])("%s: %s", (label, createdAt) => {
  expect(groupByRecency([chatOf(createdAt)], NOW)).toEqual([{ label, chats: [chatOf(createdAt)] }]);
});

it("keeps the order of the chats and leaves empty groups out", () => {
  const chats = [new Date(2026, 2, 30), new Date(2026, 2, 30), new Date(2020, 0, 1)].map(chatOf);
  const groups = groupByRecency(chats, NOW);
  expect(groups.map(({ label }) => label)).toEqual(["Today", "Older"]);
  expect(groups.flatMap((group) => group.chats)).toEqual(chats);
});
