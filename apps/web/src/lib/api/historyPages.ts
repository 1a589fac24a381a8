/** The loaded pages of a list of chats, and how a change of a chat shows in them. */
import type { QueryClient } from "@tanstack/react-query";
import {
  type ChatChange,
  type ChatSummary,
  HISTORY_KEY,
  type HistoryPages,
  type Shelf,
} from "./history";

export function chatsOf(pages: Pick<HistoryPages, "pages">): ChatSummary[] {
  return pages.pages.flatMap((page) => page.chats);
}

export function isOn(shelf: Shelf, chat: ChatSummary): boolean {
  if (shelf.isArchive) return chat.isArchived;
  return !chat.isArchived && chat.folderId === shelf.folderId;
}

/** The pages without `chats`, but with those of them that are on the shelf, each in its place. */
export function relisted(shelf: Shelf, pages: HistoryPages, chats: ChatSummary[]): HistoryPages {
  const ids = new Set(chats.map(({ id }) => id));
  const cleared = pages.pages.map((page) => {
    const kept = page.chats.filter(({ id }) => !ids.has(id));
    return kept.length === page.chats.length ? page : { ...page, chats: kept };
  });
  for (const chat of chats.filter((candidate) => isOn(shelf, candidate))) insert(cleared, chat);
  return { ...pages, pages: cleared };
}

/** What is older than all loaded ones waits for its page, if there is one. */
function insert(pages: HistoryPages["pages"], chat: ChatSummary): void {
  const isAfter = (other: ChatSummary) => compareNewest(chat, other) < 0;
  let place = pages.findIndex((page) => page.chats.some(isAfter));
  if (place === -1 && !pages.at(-1)?.hasMore) place = pages.length - 1;
  const page = pages[place];
  if (!page) return;
  const before = page.chats.findIndex(isAfter);
  const chats = page.chats.toSpliced(before === -1 ? page.chats.length : before, 0, chat);
  pages[place] = { ...page, chats };
}

/** The gateway's order: newest first. */
function compareNewest(one: ChatSummary, other: ChatSummary): number {
  return other.createdAtMs - one.createdAtMs || (one.id < other.id ? 1 : -1);
}

/** The chat in whichever loaded list has it. */
export function findChat(client: QueryClient, chatId: string): ChatSummary | undefined {
  for (const [, pages] of loadedLists(client)) {
    for (const page of pages?.pages ?? []) {
      const found = page.chats.find(({ id }) => id === chatId);
      if (found) return found;
    }
  }
  return undefined;
}

export function loadedLists(client: QueryClient): [Shelf, HistoryPages | undefined][] {
  return client
    .getQueriesData<HistoryPages>({ queryKey: HISTORY_KEY })
    .map(([key, pages]) => [key[1] as Shelf, pages]);
}

/** Shows chats as they are now, in all loaded lists. */
export function relist(client: QueryClient, chats: ChatSummary[]): void {
  for (const [shelf] of loadedLists(client)) {
    client.setQueryData<HistoryPages>(
      [...HISTORY_KEY, shelf],
      (pages) => pages && relisted(shelf, pages, chats),
    );
  }
}

export function unlist(client: QueryClient, chatIds: ReadonlySet<string>): void {
  client.setQueriesData<HistoryPages>(
    { queryKey: HISTORY_KEY },
    (pages) =>
      pages && {
        ...pages,
        pages: pages.pages.map((page) => ({
          ...page,
          chats: page.chats.filter(({ id }) => !chatIds.has(id)),
        })),
      },
  );
}

/** Whether a list has lost all that was loaded of it, though not all that there is. */
export function hasStarved(client: QueryClient): boolean {
  return loadedLists(client).some(
    ([, pages]) =>
      pages?.pages.at(-1)?.hasMore && pages.pages.every(({ chats }) => chats.length === 0),
  );
}

export function retitle(client: QueryClient, chatId: string, title: string): void {
  const chat = findChat(client, chatId);
  if (chat) relist(client, [{ ...chat, title }]);
}

/** The values that `change` replaces. */
export function former(chat: ChatSummary, change: ChatChange): ChatChange {
  return Object.fromEntries(
    Object.keys(change).map((name) => [name, chat[name as keyof ChatChange]]),
  );
}
