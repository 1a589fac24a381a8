/** What may be used at most, and what is left of it. */
import * as z from "zod/mini";
import { getJson } from "./request";

export const PERIODS = ["hour", "day", "month", "total"] as const;
export const KINDS = ["requests", "tokens", "micros"] as const;

const limit = z.nullable(z.number());

export const budgetSchema = z.object({
  period: z.enum(PERIODS),
  model: z.nullable(z.string()),
  requests: limit,
  tokens: limit,
  /** Millionths of a dollar. */
  micros: limit,
});
const myBudgetSchema = z.extend(budgetSchema, {
  id: z.string(),
  used: z.object({ requests: z.number(), tokens: z.number(), micros: z.number() }),
});
const myBudgetsSchema = z.object({ budgets: z.array(myBudgetSchema) });

export type Period = (typeof PERIODS)[number];
export type Budget = z.infer<typeof budgetSchema>;
export type MyBudget = z.infer<typeof myBudgetSchema>;

/** Those that apply to who asks. */
export async function fetchBudgets(signal?: AbortSignal): Promise<MyBudget[]> {
  return (await getJson("/api/budgets", myBudgetsSchema, signal)).budgets;
}
