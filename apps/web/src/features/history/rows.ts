/** The lists of chats as the rows that one scrolls through. */
import type { Folder } from "@/lib/api/folders";
import type { ChatSummary } from "@/lib/api/history";
import { type Recency, groupByRecency } from "./groups";

/** What is known of a list; `ending` is what its last row tells. */
export interface Listed {
  chats: ChatSummary[];
  ending: "loading" | "failed" | "more" | "end";
}

export type Row =
  | { kind: "foldersHeading"; key: string }
  | { kind: "newFolder"; key: string }
  | { kind: "folder"; key: string; folder: Folder; isOpen: boolean }
  | { kind: "heading"; key: string; recency: Recency }
  | { kind: "chat"; key: string; chat: ChatSummary; isFiled: boolean }
  | { kind: "empty"; key: string; folderId: string | null }
  | { kind: "ending"; key: string; folderId: string | null; ending: "loading" | "failed" | "more" };

/** The rows that the keyboard goes through. */
export type Item = Extract<Row, { kind: "chat" | "folder" }>;

interface Contents {
  folders: Folder[];
  /** By the ids of the folders that are open. */
  filed: ReadonlyMap<string, Listed>;
  loose: Listed;
  /** Deleted, but for the gateway. */
  hidden: ReadonlySet<string>;
  isNamingFolder: boolean;
  now: Date;
}

export function rowsOf({ folders, filed, loose, hidden, isNamingFolder, now }: Contents): Row[] {
  const rows: Row[] = [];
  if (folders.length > 0 || isNamingFolder) rows.push({ kind: "foldersHeading", key: "folders" });
  if (isNamingFolder) rows.push({ kind: "newFolder", key: "newFolder" });
  for (const folder of folders) {
    const listed = filed.get(folder.id);
    const isOpen = listed !== undefined;
    rows.push({ kind: "folder", key: folderKey(folder.id), folder, isOpen });
    if (listed) rows.push(...filedRows(folder.id, listed, hidden));
  }
  return rows.concat(looseRows(loose, hidden, now));
}

export function looseRows(listed: Listed, hidden: ReadonlySet<string>, now: Date): Row[] {
  const rows: Row[] = [];
  const shown = listed.chats.filter(({ id }) => !hidden.has(id));
  for (const { recency, chats } of groupByRecency(shown, now)) {
    rows.push({ kind: "heading", key: recency, recency });
    for (const chat of chats) rows.push(looseRow(chat));
  }
  return rows.concat(lastRows(null, listed, rows.length === 0));
}

function filedRows(folderId: string, listed: Listed, hidden: ReadonlySet<string>): Row[] {
  const rows: Row[] = listed.chats
    .filter(({ id }) => !hidden.has(id))
    .map((chat) => ({ kind: "chat", key: chat.id, chat, isFiled: true }));
  return [...rows, ...lastRows(folderId, listed, rows.length === 0)];
}

function lastRows(folderId: string | null, { ending }: Listed, isEmpty: boolean): Row[] {
  if (ending !== "end") return [{ kind: "ending", key: `ending:${folderId}`, folderId, ending }];
  return isEmpty ? [{ kind: "empty", key: `empty:${folderId}`, folderId }] : [];
}

const looseRowByChat = new WeakMap<ChatSummary, Row>();

/** Made once: a list of thousands grows by a hundred at a time. */
function looseRow(chat: ChatSummary): Row {
  const row = looseRowByChat.get(chat) ?? { kind: "chat", key: chat.id, chat, isFiled: false };
  looseRowByChat.set(chat, row);
  return row;
}

export function folderKey(folderId: string): string {
  return `folder:${folderId}`;
}

export function isItem(row: Row | undefined): row is Item {
  return row?.kind === "chat" || row?.kind === "folder";
}

/** Where the arrow keys, Home and End lead from a row: the place of another item, or the same. */
export function itemPlace(rows: Row[], from: number, key: string): number {
  const last = rows.length - 1;
  if (key === "Home") return seek(rows, 0, 1) ?? from;
  if (key === "End") return seek(rows, last, -1) ?? from;
  if (key === "ArrowDown") return seek(rows, from + 1, 1) ?? from;
  if (key === "ArrowUp") return seek(rows, from - 1, -1) ?? from;
  return from;
}

function seek(rows: Row[], start: number, step: 1 | -1): number | undefined {
  for (let place = start; place >= 0 && place < rows.length; place += step) {
    if (isItem(rows[place])) return place;
  }
  return undefined;
}
