import { type Model, fetchModels } from "@/lib/api/models";
import { createPreference } from "@/lib/preference";
import { useSignal } from "@/lib/signal";
import { queryOptions, useQuery } from "@tanstack/react-query";
import * as z from "zod/mini";

const chosenModel = createPreference("model", z.string(), "");
const NO_MODELS: Model[] = [];

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => fetchModels(signal),
  // A model may come or go while the page is open.
  refetchInterval: 60_000,
});

/** The models on offer, and the one to ask: the remembered choice while it exists, else the default. */
export function useModels() {
  const { data, isPending } = useQuery(modelsQuery);
  const chosenId = useSignal(chosenModel);
  const models = data?.models ?? (isPending ? undefined : NO_MODELS);
  const byId = (id: string | null | undefined) => models?.find((model) => model.id === id);
  return {
    models,
    /** Empty for none. */
    chosenId: byId(chosenId) ? chosenId : "",
    serverDefault: byId(data?.default),
    model: byId(chosenId) ?? byId(data?.default) ?? models?.[0],
    choose: chosenModel.set,
  };
}
