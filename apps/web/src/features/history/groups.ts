/** Chats under the headings people look for them. */
import type { ChatSummary } from "@/lib/api/history";

export type Recency = "today" | "yesterday" | "lastWeek" | "lastMonth" | "older";

export interface ChatGroup {
  recency: Recency;
  chats: ChatSummary[];
}

const FIRST_DAY_BY_RECENCY: [recency: Recency, daysAgo: number][] = [
  ["today", 0],
  ["yesterday", 1],
  ["lastWeek", 7],
  ["lastMonth", 30],
];

/** Groups chats by calendar days before `now`, in the reader's time zone; empty groups are left out. */
export function groupByRecency(chats: ChatSummary[], now: Date): ChatGroup[] {
  const starts = FIRST_DAY_BY_RECENCY.map(
    ([recency, daysAgo]) => [recency, startOfDay(now, daysAgo)] as const,
  );
  const groups = new Map<Recency, ChatSummary[]>();
  for (const chat of chats) {
    const recency = starts.find(([, startMs]) => chat.createdAtMs >= startMs)?.[0] ?? "older";
    const group = groups.get(recency);
    if (group) group.push(chat);
    else groups.set(recency, [chat]);
  }
  return Array.from(groups, ([recency, members]) => ({ recency, chats: members }));
}

/** By the calendar: a day of a clock change has 23 or 25 hours. */
function startOfDay(now: Date, daysAgo: number): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime();
}
