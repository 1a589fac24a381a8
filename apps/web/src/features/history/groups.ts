/** Chats under the headings people look for them. */
import type { ChatSummary } from "@/lib/api/history";

export interface ChatGroup {
  label: string;
  chats: ChatSummary[];
}

const LAST_DAY_BY_LABEL: [label: string, daysAgo: number][] = [
  ["Today", 0],
  ["Yesterday", 1],
  ["Last 7 days", 7],
  ["Last 30 days", 30],
  ["Older", Number.POSITIVE_INFINITY],
];

/** Groups chats by calendar days before `now`, in the reader's time zone; empty groups are left out. */
export function groupByRecency(chats: ChatSummary[], now: Date): ChatGroup[] {
  const groups = new Map<string, ChatSummary[]>();
  for (const chat of chats) {
    const age = calendarDaysBetween(chat.createdAt, now);
    const label = LAST_DAY_BY_LABEL.find(([, daysAgo]) => age <= daysAgo)?.[0] ?? "Older";
    groups.set(label, [...(groups.get(label) ?? []), chat]);
  }
  return Array.from(groups, ([label, members]) => ({ label, chats: members }));
}

const DAY_MS = 86_400_000;

function calendarDaysBetween(earlier: Date, later: Date): number {
  // Rounded: a day of a clock change has 23 or 25 hours.
  return Math.round((startOfDay(later) - startOfDay(earlier)) / DAY_MS);
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
