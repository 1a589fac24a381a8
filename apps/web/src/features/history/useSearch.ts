import { type FoundChat, searchHistory } from "@/lib/api/history";
import { chatsOf, loadedLists } from "@/lib/api/historyPages";
import { useSignal } from "@/lib/signal";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { deletedChats } from "./deletion";
import { matchingTitles, mergedHits } from "./titleMatch";

const DEBOUNCE_MS = 180;
const MOST_LOCAL = 50;
const MOST_RECENT = 12;

export interface SearchResult {
  hits: FoundChat[];
  isSearching: boolean;
  error: Error | null;
  retry: () => void;
}

/** Chats with these words: those loaded by their titles at once, the gateway's a moment later. */
export function useSearch(query: string): SearchResult {
  const client = useQueryClient();
  const hidden = useSignal(deletedChats);
  const words = useDebounced(query.trim(), DEBOUNCE_MS);
  const remote = useQuery({
    queryKey: ["search", words],
    queryFn: ({ signal }) => searchHistory(words, signal),
    enabled: words !== "",
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 60_000,
  });
  const isSettled = words === query.trim() && !remote.isPlaceholderData;
  const found = isSettled ? remote.data : undefined;

  const hits = useMemo(() => {
    const loaded = loadedLists(client)
      .flatMap(([, pages]) => (pages ? chatsOf(pages) : []))
      .toSorted((one, other) => other.createdAtMs - one.createdAtMs);
    const local = query.trim()
      ? matchingTitles(loaded, query).slice(0, MOST_LOCAL)
      : loaded.filter(({ isArchived }) => !isArchived).slice(0, MOST_RECENT);
    return mergedHits(local, found ?? []).filter(({ id }) => !hidden.has(id));
  }, [client, query, found, hidden]);

  const isAsking = query.trim() !== "" && (words !== query.trim() || remote.isFetching);
  return {
    hits,
    isSearching: isAsking,
    error: isAsking ? null : remote.error,
    retry: () => void remote.refetch(),
  };
}

function useDebounced<Value>(value: Value, delayMs: number): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return settled;
}
