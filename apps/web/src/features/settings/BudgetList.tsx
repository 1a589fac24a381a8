import { KINDS, type MyBudget } from "@/lib/api/budgets";
import { useTranslation } from "react-i18next";
import { formatCount, formatMicros } from "./format";

/** What may be used at most, and how much of it is gone. */
export function BudgetList({ budgets }: { budgets: MyBudget[] }) {
  const { t } = useTranslation("settings");
  const bounds = budgets.flatMap((budget) =>
    KINDS.flatMap((kind) => {
      const limit = budget[kind];
      return limit === null ? [] : [{ budget, kind, limit, used: budget.used[kind] }];
    }),
  );
  if (bounds.length === 0) return null;
  return (
    <ul aria-label={t("budgets")} className="flex flex-col gap-3">
      {bounds.map(({ budget, kind, limit, used }) => {
        const format = kind === "micros" ? formatMicros : formatCount;
        const label = t("budgetOf", {
          kind: t(`kind.${kind}`),
          period: t(`period.${budget.period}`),
          model: budget.model ?? t("allModels"),
        });
        return (
          <li key={`${budget.id} ${kind}`} className="text-sm">
            <span className="flex justify-between gap-4">
              <span>{label}</span>
              <span className="text-muted-foreground tabular-nums">
                {format(used)} / {format(limit)}
              </span>
            </span>
            <meter
              aria-label={label}
              min={0}
              max={Math.max(limit, 1)}
              value={Math.min(used, limit)}
              className="mt-1 h-2 w-full"
            />
          </li>
        );
      })}
    </ul>
  );
}
