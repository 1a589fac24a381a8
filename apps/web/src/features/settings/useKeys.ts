import { type ApiKey, createKey, deleteKey, fetchKeys, limitKey } from "@/lib/api/keys";
import type { Budget } from "@/lib/api/budgets";
import { notifyError } from "@/lib/notify";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

const KEYS_KEY = ["apiKeys"];

interface KeyLimit {
  id: string;
  budget: Partial<Budget> | null;
}

/** An account's API keys and what can be done with them. */
export function useKeys() {
  const client = useQueryClient();
  const { data: keys = [] } = useQuery<ApiKey[]>({
    queryKey: KEYS_KEY,
    queryFn: ({ signal }) => fetchKeys(signal),
  });
  const settled = {
    onSuccess: () => client.invalidateQueries({ queryKey: KEYS_KEY }),
    onError: (error: Error) => void notifyError(error),
  };
  const creation = useMutation({ mutationFn: createKey, ...settled });
  const deletion = useMutation({ mutationFn: deleteKey, ...settled });
  const limiting = useMutation({
    mutationFn: ({ id, budget }: KeyLimit) => limitKey(id, budget),
    ...settled,
  });
  return {
    keys,
    create: creation.mutate,
    /** The key just made: it is shown once. */
    newKey: creation.data,
    forgetNewKey: creation.reset,
    remove: deletion.mutate,
    limit: limiting.mutate,
  };
}
