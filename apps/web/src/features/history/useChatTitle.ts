import { LOOSE } from "@/lib/api/history";
import { findChat } from "@/lib/api/historyPages";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { listQuery } from "./listQuery";

/** The title of a chat, if it is in a loaded list. */
export function useChatTitle(chatId: string): string | undefined {
  // Where the sidebar is closed nobody else reads the list.
  useInfiniteQuery({ ...listQuery(LOOSE), notifyOnChangeProps: [] });
  const client = useQueryClient();
  const subscribe = useCallback(
    (listener: () => void) => client.getQueryCache().subscribe(listener),
    [client],
  );
  return useSyncExternalStore(subscribe, () => findChat(client, chatId)?.title);
}
