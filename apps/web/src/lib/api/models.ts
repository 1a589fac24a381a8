/** The models this installation can answer with. */
import * as z from "zod/mini";
import { getJson } from "./request";

const modelSchema = z.pipe(
  z.object({
    id: z.string(),
    name: z.string(),
    provider: z.string(),
    /** False for a base model: it only continues text. */
    chat_template: z.boolean(),
    capabilities: z.object({ tools: z.boolean(), vision: z.boolean(), reasoning: z.boolean() }),
    context_tokens: z.nullable(z.number()),
    /** In dollars for a million tokens. */
    prices: z.nullable(z.object({ input: z.number(), output: z.number() })),
  }),
  z.transform(({ chat_template, context_tokens, ...model }) => ({
    ...model,
    isChat: chat_template,
    contextTokens: context_tokens,
  })),
);

const modelListSchema = z.object({ default: z.nullable(z.string()), models: z.array(modelSchema) });

export type Model = z.infer<typeof modelSchema>;
export type ModelList = z.infer<typeof modelListSchema>;

const LOCAL_PROVIDER = "raylm";

/** Whether the model runs on this installation's own machines. */
export function isLocal(model: Model): boolean {
  return model.provider === LOCAL_PROVIDER;
}

export function fetchModels(signal?: AbortSignal): Promise<ModelList> {
  return getJson("/api/models", modelListSchema, signal);
}
