/** Amounts and times as the reader's language writes them. */
import { i18n } from "@/lib/i18n";

export function formatCount(count: number): string {
  return count.toLocaleString(i18n.language);
}

export function formatMicros(micros: number): string {
  return (micros / 1_000_000).toLocaleString(i18n.language, {
    style: "currency",
    currency: "USD",
    maximumFractionDigits: 4,
  });
}

export function formatTime(time: string): string {
  return new Date(time).toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "short" });
}

/** A day of the calendar, by UTC, as the ledger counts. */
export function formatDay(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(i18n.language, {
    dateStyle: "medium",
    timeZone: "UTC",
  });
}
