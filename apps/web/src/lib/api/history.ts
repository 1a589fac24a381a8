/** The list of chats: reading it page by page, and the edits of its cached pages. */
import type { InfiniteData } from "@tanstack/react-query";
import * as z from "zod/mini";
import { getJson, send } from "./request";

const chatSchema = z.object({
  id: z.string(),
  title: z.string(),
  createdAt: z.coerce.date(),
});
const historyPageSchema = z.object({ chats: z.array(chatSchema), hasMore: z.boolean() });

export type ChatSummary = z.infer<typeof chatSchema>;
export type HistoryPage = z.infer<typeof historyPageSchema>;
export type HistoryPages = InfiniteData<HistoryPage, string | undefined>;

export const HISTORY_KEY = ["history"] as const;
const PAGE_SIZE = 30;

/** A page of chats older than `before`, newest first. */
export function fetchHistory(before?: string, signal?: AbortSignal): Promise<HistoryPage> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
  if (before) query.set("ending_before", before);
  return getJson(`/api/history?${query}`, historyPageSchema, signal);
}

export function nextCursor(page: HistoryPage): string | undefined {
  return page.hasMore ? page.chats.at(-1)?.id : undefined;
}

export function renameChat(chatId: string, title: string): Promise<void> {
  return send("PATCH", `/api/chat/${chatId}`, { title });
}

export function deleteChat(chatId: string): Promise<void> {
  return send("DELETE", `/api/chat?id=${encodeURIComponent(chatId)}`);
}

export function withTitle(pages: HistoryPages, chatId: string, title: string): HistoryPages {
  return mapChats(pages, (chats) =>
    chats.map((chat) => (chat.id === chatId ? { ...chat, title } : chat)),
  );
}

export function withoutChat(pages: HistoryPages, chatId: string): HistoryPages {
  return mapChats(pages, (chats) => chats.filter((chat) => chat.id !== chatId));
}

function mapChats(
  pages: HistoryPages,
  change: (chats: ChatSummary[]) => ChatSummary[],
): HistoryPages {
  return { ...pages, pages: pages.pages.map((page) => ({ ...page, chats: change(page.chats) })) };
}

export function deleteAllChats(): Promise<void> {
  return send("DELETE", "/api/history");
}
