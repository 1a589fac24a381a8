/** The models this installation can answer with. */
import { z } from "zod";
import { getJson } from "./request";

const modelSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    provider: z.string(),
    /** False for a base model: it only continues text. */
    chat_template: z.boolean(),
    capabilities: z.object({ tools: z.boolean(), vision: z.boolean(), reasoning: z.boolean() }),
  })
  .transform(({ chat_template, ...model }) => ({ ...model, isChat: chat_template }));

const modelListSchema = z.object({ default: z.string().nullable(), models: z.array(modelSchema) });

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
