import type { RunEvent } from "@/lib/api/runs";
import { cn } from "@/lib/classNames";
import { useTranslation } from "react-i18next";
import { formatTime } from "./format";
import { type Tone, toneOf } from "./marks";
import { useRunWords } from "./useRunWords";

const SHOWN = 200;
const DOT_CLASSES: Record<Tone, string> = {
  bad: "bg-danger",
  warm: "bg-accent",
  good: "bg-emerald-600 dark:bg-emerald-400",
  calm: "bg-sky-600 dark:bg-sky-400",
};
const HIDDEN = new Set(["t", "event", "workers", "path"]);

/** What happened to the run, the newest first. */
export function EventList({ events, count }: { events: RunEvent[]; count: number }) {
  const { t } = useTranslation("runs");
  const { eventName } = useRunWords();
  const shown = events.slice(-SHOWN).toReversed();
  return (
    <section aria-labelledby="run-events">
      <h2 id="run-events" className="mb-2 font-semibold">
        {t("eventsTitle", { count })}
      </h2>
      <ol
        data-testid="run-events"
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        tabIndex={0}
        className="max-h-80 overflow-y-auto rounded-2xl border bg-surface px-4 text-sm"
      >
        {shown.map((event, place) => (
          <li key={events.length - place} className="flex gap-3 border-b py-2 last:border-b-0">
            <span
              aria-hidden="true"
              className={cn(
                "mt-1.5 size-2 shrink-0 rounded-full",
                DOT_CLASSES[toneOf(event.event) ?? "calm"],
                !toneOf(event.event) && "bg-border dark:bg-border",
              )}
            />
            <span className="min-w-0 flex-1">
              <span className="font-medium">{eventName(event.event)}</span>{" "}
              <span className="break-words text-muted-foreground">{detailsOf(event)}</span>
            </span>
            <time className="shrink-0 text-xs text-muted-foreground">
              {formatTime(new Date(event.t * 1000))}
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}

function detailsOf(event: RunEvent): string {
  return Object.entries(event)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${words(value)}`)
    .join(" · ");
}

function words(value: unknown): string {
  if (typeof value === "number") return String(Math.round(value * 1000) / 1000);
  return typeof value === "string" ? value : JSON.stringify(value);
}
