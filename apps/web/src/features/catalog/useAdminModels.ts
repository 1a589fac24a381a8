import { fetchAdminModels, loadModel, unloadModel } from "@/lib/api/adminModels";
import { notifyError } from "@/lib/notify";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

const REFRESH_MS = 2_000;

/** The engine's models as they are now, and the hands on them. */
export function useAdminModels() {
  const client = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ["admin-models"],
    queryFn: ({ signal }) => fetchAdminModels(signal),
    refetchInterval: REFRESH_MS,
  });
  const settled = {
    onError: (failure: Error) => void notifyError(failure),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ["admin-models"] });
      await client.invalidateQueries({ queryKey: ["models"] });
    },
  };
  const load = useMutation({ mutationFn: loadModel, ...settled });
  const unload = useMutation({ mutationFn: unloadModel, ...settled });
  return { data, error, load, unload };
}
