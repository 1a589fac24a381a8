/** What chats do while they are not looked at: being answered, and answered without being read. */
import { createPreference } from "@/lib/preference";
import type { ReadSignal } from "@/lib/signal";
import * as z from "zod/mini";

const MOST_KEPT = 200;
const idsSchema = z.array(z.string());

// Tabs share both, and a page that comes back still knows what it was waiting for.
const answering = createPreference("answering", idsSchema, []);
const unread = createPreference("unread", idsSchema, []);
/** Those whose answer this page receives. */
const followed = new Set<string>();
const open = new Set<string>();

/** The chats that are being answered, here or elsewhere. */
export const answeringChats: ReadSignal<string[]> = answering;
/** The chats that were answered while they were not open. */
export const unreadChats: ReadSignal<string[]> = unread;

// Another tab does not know what is open in this one.
unread.subscribe(() => {
  const unseen = unread.get().filter((id) => !open.has(id));
  if (unseen.length < unread.get().length) unread.set(unseen);
});

export function noteOpened(chatId: string): void {
  open.add(chatId);
  forget([chatId]);
}

export function noteLeft(chatId: string): void {
  open.delete(chatId);
}

/** Of a chat whose answer this page receives. */
export function noteAnswering(chatId: string, isAnswering: boolean): void {
  if (isAnswering) {
    followed.add(chatId);
    begin([chatId]);
  } else {
    followed.delete(chatId);
    end([chatId]);
  }
}

/** All chats that the gateway is answering; returns whether that was news. */
export function noteAllAnswering(chatIds: string[]): boolean {
  const ended = answering.get().filter((id) => !chatIds.includes(id) && !followed.has(id));
  const haveBegun = begin(chatIds);
  return end(ended) || haveBegun;
}

function begin(chatIds: string[]): boolean {
  const known = answering.get();
  const begun = chatIds.filter((id) => !known.includes(id));
  if (begun.length === 0) return false;
  answering.set([...known, ...begun].slice(-MOST_KEPT));
  forget(begun);
  return true;
}

function end(chatIds: string[]): boolean {
  const known = answering.get();
  const ended = chatIds.filter((id) => known.includes(id));
  if (ended.length === 0) return false;
  answering.set(known.filter((id) => !ended.includes(id)));
  unread.set([...unread.get(), ...ended.filter((id) => !open.has(id))].slice(-MOST_KEPT));
  return true;
}

/** There is nothing unread in these any more, or not yet. */
function forget(chatIds: string[]): void {
  const left = unread.get().filter((id) => !chatIds.includes(id));
  if (left.length < unread.get().length) unread.set(left);
}
