import { type Budget, PERIODS } from "@/lib/api/budgets";

/** The budget that a form asks for; null where every field is empty. */
export function budgetOf(
  period: string,
  valueOf: (field: string) => string,
): Partial<Budget> | null {
  const amountOf = (field: string) => (valueOf(field) === "" ? undefined : Number(valueOf(field)));
  const [requests, tokens, dollars] = ["requests", "tokens", "dollars"].map(amountOf);
  const limits = {
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(dollars !== undefined && { micros: Math.round(dollars * 1_000_000) }),
  };
  if (Object.keys(limits).length === 0) return null;
  return { period: PERIODS.find((one) => one === period) ?? "month", ...limits };
}
