/** Which chats are being answered in other tabs and on other devices: asked for now and then. */
import { answeringChats, noteAllAnswering } from "@/lib/activity";
import { HISTORY_KEY, fetchAnswering } from "@/lib/api/history";
import { reread } from "@/lib/queryClient";
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";

const EVERY_MS = 10_000;
const EVERY_WHILE_ANSWERING_MS = 3_000;

export function useAnswering(): void {
  const client = useQueryClient();
  useQuery({
    ...answeringQuery(() => void reread(client, HISTORY_KEY)),
    notifyOnChangeProps: [],
  });
}

/** `onNews`: the lists may lack a chat, or its title. */
export function answeringQuery(onNews: () => void) {
  return queryOptions({
    queryKey: ["answering"],
    queryFn: async ({ signal }) => {
      const before = answeringChats.get();
      const chatIds = await fetchAnswering(signal);
      // What was noted in the meantime is newer than the reply.
      if (answeringChats.get() === before && noteAllAnswering(chatIds)) onNews();
      return chatIds;
    },
    refetchInterval: ({ state }) => (state.data?.length ? EVERY_WHILE_ANSWERING_MS : EVERY_MS),
    refetchOnWindowFocus: "always",
  });
}
