import { expect, it } from "vitest";
import { budgetOf } from "./keyBudget";

const formOf = (fields: Record<string, string>) => (field: string) => fields[field] ?? "";

it("sends what was filled in, money in millionths", () => {
  const form = formOf({ requests: "0", dollars: "2.5" });
  expect(budgetOf("day", form)).toEqual({ period: "day", requests: 0, micros: 2_500_000 });
});

it("lifts the budget where nothing was", () => {
  expect(budgetOf("month", formOf({}))).toBeNull();
});
