/** What chats do while they are not looked at: being answered, and answered without being read. */
import { createPreference } from "@/lib/preference";
import { type ReadSignal, createSignal } from "@/lib/signal";
import { z } from "zod";

const MOST_UNREAD = 200;

const answering = createSignal<ReadonlySet<string>>(new Set());
const unread = createPreference("unread", z.array(z.string()), []);
const open = new Set<string>();

/** The chats that this page receives an answer of. */
export const answeringChats: ReadSignal<ReadonlySet<string>> = answering;
/** The chats that were answered while they were not open, in any tab. */
export const unreadChats: ReadSignal<string[]> = unread;

export function noteOpened(chatId: string): void {
  open.add(chatId);
  if (unread.get().includes(chatId)) unread.set(unread.get().filter((id) => id !== chatId));
}

export function noteLeft(chatId: string): void {
  open.delete(chatId);
}

export function noteAnswering(chatId: string, isAnswering: boolean): void {
  const known = new Set(answering.get());
  if (known.has(chatId) === isAnswering) return;
  if (isAnswering) known.add(chatId);
  else known.delete(chatId);
  answering.set(known);
  if (!isAnswering && !open.has(chatId)) {
    unread.set([...unread.get().filter((id) => id !== chatId), chatId].slice(-MOST_UNREAD));
  }
}
