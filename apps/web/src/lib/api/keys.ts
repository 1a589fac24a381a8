/** The keys that an account's programs ask with. */
import * as z from "zod/mini";
import { type Budget, budgetSchema } from "./budgets";
import { getJson, postJson, send } from "./request";

const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  /** How the key begins. */
  prefix: z.string(),
  createdAt: z.string(),
  lastUsedAt: z.nullable(z.string()),
  budget: z.nullable(budgetSchema),
});
const keysSchema = z.object({ keys: z.array(keySchema) });
const newKeySchema = z.object({ key: z.string() });

export type ApiKey = z.infer<typeof keySchema>;

export async function fetchKeys(signal?: AbortSignal): Promise<ApiKey[]> {
  return (await getJson("/api/keys", keysSchema, signal)).keys;
}

/** The key itself, which nothing ever shows again. */
export async function createKey(name: string): Promise<string> {
  return (await postJson("/api/keys", newKeySchema, { name })).key;
}

export function deleteKey(id: string): Promise<void> {
  return send("DELETE", `/api/keys/${id}`);
}

/** What the key may use at most; null for no bound of its own. */
export function limitKey(id: string, budget: Partial<Budget> | null): Promise<void> {
  return send("PATCH", `/api/keys/${id}`, { budget });
}
