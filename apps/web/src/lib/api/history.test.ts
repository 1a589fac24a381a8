import { expect, it } from "vitest";
import { type HistoryPages, nextCursor, withTitle, withoutChat } from "./history";

const CREATED = new Date(0);
const chat = (id: string) => ({ id, title: `Chat ${id}`, createdAt: CREATED });
const PAGES: HistoryPages = {
  pages: [
    { chats: [chat("d"), chat("c")], hasMore: true },
    { chats: [chat("b"), chat("a")], hasMore: false },
  ],
  pageParams: [undefined, "c"],
};

it("renames one chat and leaves the given pages alone", () => {
  const titles = withTitle(PAGES, "b", "New").pages.flatMap((page) =>
    page.chats.map(({ title }) => title),
  );
  expect(titles).toEqual(["Chat d", "Chat c", "New", "Chat a"]);
  expect(PAGES.pages[1]?.chats[0]?.title).toBe("Chat b");
});

it("takes one chat out", () => {
  const ids = withoutChat(PAGES, "c").pages.map((page) => page.chats.map(({ id }) => id));
  expect(ids).toEqual([["d"], ["b", "a"]]);
});

it("asks for what is older than a page's last chat, while there is more", () => {
  expect(PAGES.pages.map(nextCursor)).toEqual(["c", undefined]);
});
