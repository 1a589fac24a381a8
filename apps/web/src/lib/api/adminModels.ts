/** The local engine's models and how the providers are, for admins. */
import * as z from "zod/mini";
import { getJson, postJson, send } from "./request";

const number = z.nullable(z.number());

const localModelSchema = z.object({
  id: z.string(),
  /** What it can be loaded by; null where that is not known here. */
  model: z.nullable(z.string()),
  runId: z.nullable(z.string()),
  step: number,
  state: z.enum(["loaded", "loading", "unloaded", "failed"]),
  loadingSeconds: number,
  failure: z.nullable(z.string()),
  contextTokens: number,
  tokensPerSecond: number,
  generatedTokens: number,
  firstTokenSeconds: number,
  waiting: number,
  running: number,
  cacheUsed: number,
});

const providerSchema = z.object({
  name: z.string(),
  isUp: z.boolean(),
  error: z.nullable(z.string()),
  modelCount: z.number(),
  circuits: z.array(z.object({ model: z.string(), state: z.string(), openForSeconds: z.number() })),
});

const adminModelsSchema = z.object({
  engine: z.nullable(
    z.object({
      isUp: z.boolean(),
      error: z.nullable(z.string()),
      canChange: z.boolean(),
      availableBytes: number,
      models: z.array(localModelSchema),
    }),
  ),
  providers: z.array(providerSchema),
});

export type LocalModel = z.infer<typeof localModelSchema>;
export type ProviderHealth = z.infer<typeof providerSchema>;
export type AdminModels = z.infer<typeof adminModelsSchema>;

export function fetchAdminModels(signal?: AbortSignal): Promise<AdminModels> {
  return getJson("/api/admin/models", adminModelsSchema, signal);
}

/** Resolves once it serves. */
export async function loadModel(model: string): Promise<void> {
  await postJson("/api/admin/models", z.object({ id: z.string() }), { model });
}

/** Resolves once the answers that it is giving have ended. */
export function unloadModel(id: string): Promise<void> {
  return send("DELETE", `/api/admin/models?${new URLSearchParams({ model: id })}`);
}
