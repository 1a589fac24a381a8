/** The lists of chats: reading them page by page, searching them, changing their chats. */
import type { InfiniteData } from "@tanstack/react-query";
import * as z from "zod/mini";
import { getJson, send } from "./request";

const pieceSchema = z.object({ text: z.string(), isMatch: z.boolean() });

const chatSchema = z.pipe(
  z.object({
    id: z.string(),
    title: z.string(),
    folderId: z.nullable(z.string()),
    archivedAt: z.nullable(z.string()),
    createdAt: z.string(),
    snippet: z.nullish(z.array(pieceSchema)),
  }),
  z.transform(({ archivedAt, createdAt, snippet, ...chat }) => ({
    ...chat,
    isArchived: archivedAt !== null,
    createdAtMs: Date.parse(createdAt),
    ...(snippet && { snippet }),
  })),
);
const historyPageSchema = z.object({ chats: z.array(chatSchema), hasMore: z.boolean() });

/** A stretch of text, and whether a search looked for it. */
export type Piece = z.infer<typeof pieceSchema>;
export type FoundChat = z.infer<typeof chatSchema>;
export type ChatSummary = Omit<FoundChat, "snippet">;
export interface HistoryPage {
  chats: ChatSummary[];
  hasMore: boolean;
}
export type HistoryPages = InfiniteData<HistoryPage, string | undefined>;
export type ChatChange = Partial<Pick<ChatSummary, "title" | "folderId" | "isArchived">>;

/** What a list has: the archive, the chats of a folder, or those in none. */
export type Shelf = { isArchive: true } | { isArchive: false; folderId: string | null };

export const LOOSE: Shelf = { isArchive: false, folderId: null };
export const ARCHIVE: Shelf = { isArchive: true };

export const HISTORY_KEY = ["history"] as const;
const PAGE_SIZE = 100;
const HITS = 30;

export function shelfKey(shelf: Shelf) {
  return [...HISTORY_KEY, shelf] as const;
}

/** A page of chats older than `before`, newest first. */
export function fetchHistory(
  shelf: Shelf,
  before?: string,
  signal?: AbortSignal,
): Promise<HistoryPage> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
  if (shelf.isArchive) query.set("archived", "true");
  else query.set("folder", shelf.folderId ?? "none");
  if (before) query.set("ending_before", before);
  return getJson(`/api/history?${query}`, historyPageSchema, signal);
}

/** The oldest chat that is loaded, while there are older ones. */
export function nextCursor(last: HistoryPage, pages: HistoryPage[]): string | undefined {
  return last.hasMore
    ? pages.findLast(({ chats }) => chats.length > 0)?.chats.at(-1)?.id
    : undefined;
}

/** The best of the chats with these words, those in the archive last. */
export async function searchHistory(words: string, signal?: AbortSignal): Promise<FoundChat[]> {
  const pages = await Promise.all(
    ["false", "true"].map((archived) => {
      const query = new URLSearchParams({ q: words, archived, limit: String(HITS) });
      return getJson(`/api/history?${query}`, historyPageSchema, signal);
    }),
  );
  return pages.flatMap((page) => page.chats);
}

const answeringSchema = z.object({ chatIds: z.array(z.string()) });

/** The chats that are being answered, wherever they were asked. */
export async function fetchAnswering(signal?: AbortSignal): Promise<string[]> {
  return (await getJson("/api/history/answering", answeringSchema, signal)).chatIds;
}

export function deleteAllChats(): Promise<void> {
  return send("DELETE", "/api/history");
}
