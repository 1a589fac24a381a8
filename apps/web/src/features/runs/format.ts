/** Numbers as people read them, in the page's language. */
import { i18n } from "@/lib/i18n";

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) {
    return value.toExponential(2);
  }
  const isLarge = Number.isInteger(value) || Math.abs(value) >= 100;
  const digits = isLarge ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 };
  return new Intl.NumberFormat(i18n.language, digits).format(value);
}

export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const power = value > 0 ? Math.min(Math.floor(Math.log2(value) / 10), 4) : 0;
  const unit = BINARY_UNITS[Math.max(power, 0)] ?? "B";
  const number = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 });
  return `${number.format(value / 1024 ** Math.max(power, 0))} ${unit}`;
}

export function formatTime(date: Date): string {
  const format = new Intl.DateTimeFormat(i18n.language, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  return format.format(date);
}

export function formatDuration(from: Date, to: Date): string {
  const minutes = Math.max(0, Math.round((to.getTime() - from.getTime()) / 60_000));
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
