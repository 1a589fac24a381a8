import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import {
  ARCHIVE,
  type ChatSummary,
  type HistoryPages,
  LOOSE,
  type Shelf,
  nextCursor,
  shelfKey,
} from "./history";
import { findChat, former, hasStarved, relist, relisted, retitle, unlist } from "./historyPages";

const WORK: Shelf = { isArchive: false, folderId: "work" };

const chat = (createdAtMs: number, more: Partial<ChatSummary> = {}): ChatSummary => ({
  id: `chat-${createdAtMs}`,
  title: `Chat ${createdAtMs}`,
  folderId: null,
  isArchived: false,
  createdAtMs,
  ...more,
});

const pagesOf = (hasMore: boolean, ...pages: number[][]): HistoryPages => ({
  pages: pages.map((times, place) => ({
    chats: times.map((time) => chat(time)),
    hasMore: hasMore || place < pages.length - 1,
  })),
  pageParams: pages.map(() => undefined),
});

const times = (pages: HistoryPages | undefined) =>
  pages?.pages.map(({ chats }) => chats.map(({ createdAtMs }) => createdAtMs));

function loaded(): QueryClient {
  const client = new QueryClient();
  client.setQueryData(shelfKey(LOOSE), pagesOf(false, [3, 2, 1]));
  client.setQueryData(shelfKey(WORK), pagesOf(false, []));
  client.setQueryData(shelfKey(ARCHIVE), pagesOf(false, []));
  return client;
}
const shown = (client: QueryClient, shelf: Shelf) =>
  times(client.getQueryData<HistoryPages>(shelfKey(shelf)))?.flat();

describe("relisted", () => {
  it("changes a chat in its place and leaves the given pages alone", () => {
    const pages = pagesOf(false, [4, 3], [2, 1]);
    const changed = relisted(LOOSE, pages, [chat(2, { title: "New" })]);
    expect(times(changed)).toEqual([
      [4, 3],
      [2, 1],
    ]);
    expect(changed.pages[1]?.chats[0]?.title).toBe("New");
    expect(pages.pages[1]?.chats[0]?.title).toBe("Chat 2");
    expect(changed.pages[0]).toBe(pages.pages[0]);
  });

  it.each([
    ["moved", chat(3, { folderId: "work" })],
    ["archived", chat(3, { isArchived: true })],
  ])("takes out what was %s", (_, gone) => {
    expect(times(relisted(LOOSE, pagesOf(false, [4, 3], [2]), [gone]))).toEqual([[4], [2]]);
  });

  it.each([
    [5, [[5, 4, 2], [1]]],
    [3, [[4, 3, 2], [1]]],
    [
      1.5,
      [
        [4, 2],
        [1.5, 1],
      ],
    ],
    [
      0,
      [
        [4, 2],
        [1, 0],
      ],
    ],
  ])("puts a chat of time %s in its place", (time, expected) => {
    expect(times(relisted(LOOSE, pagesOf(false, [4, 2], [1]), [chat(time)]))).toEqual(expected);
  });

  it("leaves what is older than all loaded chats to its own page", () => {
    expect(times(relisted(LOOSE, pagesOf(true, [4, 2]), [chat(1)]))).toEqual([[4, 2]]);
  });

  it("fills an empty list", () => {
    expect(times(relisted(WORK, pagesOf(false, []), [chat(1, { folderId: "work" })]))).toEqual([
      [1],
    ]);
  });

  it("orders chats of one moment as the gateway does", () => {
    const [one, other] = [chat(1, { id: "a" }), chat(1, { id: "b" })];
    const { pages } = relisted(LOOSE, pagesOf(false, []), [one, other]);
    expect(pages[0]?.chats.map(({ id }) => id)).toEqual(["b", "a"]);
  });
});

describe("the loaded lists", () => {
  it("show a chat where it is now, and back again", () => {
    const client = loaded();
    const change = { folderId: "work" };
    relist(client, [{ ...chat(2), ...change }]);
    expect([shown(client, LOOSE), shown(client, WORK)]).toEqual([[3, 1], [2]]);
    const now = findChat(client, "chat-2");
    relist(client, [{ ...chat(2), ...now, ...former(chat(2), change) }]);
    expect([shown(client, LOOSE), shown(client, WORK)]).toEqual([[3, 2, 1], []]);
  });

  it("show an archived chat in the archive alone", () => {
    const client = loaded();
    relist(client, [chat(3, { folderId: "work", isArchived: true })]);
    expect([LOOSE, WORK, ARCHIVE].map((shelf) => shown(client, shelf))).toEqual([[2, 1], [], [3]]);
  });

  it("take a new title anywhere", () => {
    const client = loaded();
    retitle(client, "chat-1", "Rivers");
    retitle(client, "unknown", "Lakes");
    expect(findChat(client, "chat-1")?.title).toBe("Rivers");
  });

  it("forget deleted chats, and tell when nothing is left though there is more", () => {
    const client = loaded();
    client.setQueryData(shelfKey(LOOSE), pagesOf(true, [3, 2]));
    unlist(client, new Set(["chat-3"]));
    expect([shown(client, LOOSE), hasStarved(client)]).toEqual([[2], false]);
    unlist(client, new Set(["chat-2"]));
    expect([shown(client, LOOSE), hasStarved(client)]).toEqual([[], true]);
  });
});

const cursorOf = ({ pages }: HistoryPages) => {
  const last = pages.at(-1);
  return last && nextCursor(last, pages);
};

describe("nextCursor", () => {
  it.each([
    ["the oldest chat", pagesOf(true, [4, 3], [2]), "chat-2"],
    ["the oldest chat left, where a page was emptied", pagesOf(true, [4, 3], []), "chat-3"],
    ["nothing, where there is no more", pagesOf(false, [4, 3]), undefined],
  ])("is %s", (_, pages, expected) => {
    expect(cursorOf(pages)).toBe(expected);
  });
});
