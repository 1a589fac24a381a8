/** Changes of chats: shown at once, and taken back if the gateway refuses them. */
import { changeChat } from "@/lib/api/chat";
import {
  type ChatChange,
  type ChatSummary,
  HISTORY_KEY,
  type HistoryPages,
  deleteAllChats,
} from "@/lib/api/history";
import { findChat, former, hasStarved, relist } from "@/lib/api/historyPages";
import { notifyError } from "@/lib/notify";
import { reread } from "@/lib/queryClient";
import { type Query, type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";

const EDIT_KEY = ["edit", ...HISTORY_KEY];

interface Edit {
  chat: ChatSummary;
  change: ChatChange;
}

/** Renames, moves or archives chats. */
export function useEditChats() {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationKey: EDIT_KEY,
    mutationFn: ({ chat, change }: Edit) => changeChat(chat.id, change),
    onMutate: () => Date.now(),
    onError: (error, { chat, change }) => {
      const now = findChat(client, chat.id) ?? { ...chat, ...change };
      relist(client, [{ ...now, ...former(chat, change) }]);
      void notifyError(error);
    },
    onSettled: async (_, error, __, sentAtMs) => {
      if (error || haveBeenReadSince(client, sentAtMs ?? 0)) await noteStale(client);
      await refresh(client);
    },
  });
  return useCallback(
    async (chats: ChatSummary[], change: ChatChange) => {
      await quiet(client);
      relist(
        client,
        chats.map((chat) => ({ ...chat, ...change })),
      );
      for (const chat of chats) mutate({ chat, change });
    },
    [client, mutate],
  );
}

export function useDeleteAllChats() {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationKey: EDIT_KEY,
    mutationFn: deleteAllChats,
    onMutate: async () => {
      await quiet(client);
      const lists = client.getQueriesData<HistoryPages>({ queryKey: HISTORY_KEY });
      client.setQueriesData<HistoryPages>({ queryKey: HISTORY_KEY }, (pages) => pages && NO_CHATS);
      return { lists };
    },
    onError: (error, _, context) => {
      for (const [key, pages] of context?.lists ?? []) client.setQueryData(key, pages);
      void notifyError(error);
    },
    onSettled: async () => {
      await noteStale(client);
      await refresh(client);
    },
  });
  return mutate;
}

const NO_CHATS: HistoryPages = {
  pages: [{ chats: [], hasMore: false }],
  pageParams: [undefined],
};

/** A list that is being read would come without the change: it is read again afterwards. */
async function quiet(client: QueryClient): Promise<void> {
  if (client.isFetching({ queryKey: HISTORY_KEY }) === 0) return;
  await client.cancelQueries({ queryKey: HISTORY_KEY });
  await noteStale(client);
}

/** A list that was opened while a change was under way may have come without it. */
function haveBeenReadSince(client: QueryClient, timeMs: number): boolean {
  return listStates(client).some(
    ({ fetchStatus, dataUpdatedAt }) => fetchStatus === "fetching" || dataUpdatedAt > timeMs,
  );
}

function noteStale(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ queryKey: HISTORY_KEY, refetchType: "none" });
}

/** Once the last change is through: before, the gateway does not know of all. */
async function refresh(client: QueryClient): Promise<void> {
  if (client.isMutating({ mutationKey: EDIT_KEY }) > 1) return;
  const isStale = listStates(client).some(({ isInvalidated }) => isInvalidated);
  if (isStale || hasStarved(client)) await reread(client, HISTORY_KEY);
}

function listStates(client: QueryClient): Query["state"][] {
  return client
    .getQueryCache()
    .findAll({ queryKey: HISTORY_KEY })
    .map(({ state }) => state);
}
