import { useTranslation } from "react-i18next";
import { formatCount, formatDay } from "./format";
import type { DayTotals } from "./usage";

/** Tokens by day, as bars; the table beside it says the same in numbers. */
export function UsageChart({ days }: { days: DayTotals[] }) {
  const { t } = useTranslation("settings");
  const most = Math.max(1, ...days.map(({ tokens }) => tokens));
  const total = days.reduce((sum, { tokens }) => sum + tokens, 0);
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return null;
  const label = t("usageChart", { total: formatCount(total), most: formatCount(most) });
  return (
    <figure>
      <div role="img" aria-label={label} className="flex h-28 items-end gap-0.5">
        {days.map(({ day, tokens }) => (
          <span
            key={day}
            title={`${formatDay(day)}: ${formatCount(tokens)}`}
            style={{ height: `${(tokens / most) * 100}%` }}
            className="min-h-px flex-1 rounded-t-sm bg-accent"
          />
        ))}
      </div>
      <figcaption
        aria-hidden="true"
        className="mt-1.5 flex justify-between border-t pt-1.5 text-xs text-muted-foreground"
      >
        <span>{formatDay(first.day)}</span>
        <span>{formatDay(last.day)}</span>
      </figcaption>
    </figure>
  );
}
