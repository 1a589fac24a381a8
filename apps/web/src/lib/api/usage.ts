/** What one's answers have cost. */
import * as z from "zod/mini";
import { getJson } from "./request";

const rowSchema = z.object({
  day: z.string(),
  model: z.nullable(z.string()),
  requests: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  /** Millionths of a dollar. */
  micros: z.number(),
});
const usageSchema = z.object({ usage: z.array(rowSchema) });

export type UsageRow = z.infer<typeof rowSchema>;

/** Of 30 days by day and model, the newest first. */
export async function fetchUsage(signal?: AbortSignal): Promise<UsageRow[]> {
  return (await getJson("/api/usage", usageSchema, signal)).usage;
}
