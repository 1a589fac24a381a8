import { fetchBudgets } from "@/lib/api/budgets";
import { fetchUsage } from "@/lib/api/usage";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { BudgetList } from "./BudgetList";
import { Section } from "./Section";
import { UsageChart } from "./UsageChart";
import { UsageTable } from "./UsageTable";
import { byDay, byModel } from "./usage";

const DAYS = 30;

export function UsageSection() {
  const { t } = useTranslation("settings");
  const { data: usage, dataUpdatedAt } = useQuery({
    queryKey: ["usage"],
    queryFn: ({ signal }) => fetchUsage(signal),
  });
  const { data: budgets = [] } = useQuery({
    queryKey: ["budgets"],
    queryFn: ({ signal }) => fetchBudgets(signal),
  });
  return (
    <Section title={t("usage")} description={t("usageWhat", { count: DAYS })}>
      <BudgetList budgets={budgets} />
      {usage?.length === 0 && <p className="text-sm text-muted-foreground">{t("noUsage")}</p>}
      {usage && usage.length > 0 && (
        <>
          <UsageChart days={byDay(usage, new Date(dataUpdatedAt), DAYS)} />
          <UsageTable models={byModel(usage)} />
        </>
      )}
    </Section>
  );
}
