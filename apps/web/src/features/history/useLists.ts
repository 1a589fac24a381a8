/** Several lists of chats, each read page by page: `useInfiniteQuery` reads only one. */
import type { HistoryPage, Shelf } from "@/lib/api/history";
import { chatsOf } from "@/lib/api/historyPages";
import {
  type InfiniteData,
  InfiniteQueryObserver,
  type InfiniteQueryObserverResult,
  notifyManager,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useMemo, useReducer } from "react";
import { listQuery } from "./listQuery";
import type { Listed } from "./rows";

export interface List extends Listed {
  updatedAtMs: number;
  loadMore: () => void;
  reload: () => void;
}

/** The lists of these shelves, in their order. */
export function useLists(shelves: Shelf[]): List[] {
  const client = useQueryClient();
  const [, render] = useReducer((count: number) => count + 1, 0);
  const key = JSON.stringify(shelves);
  const observers = useMemo(
    () =>
      (JSON.parse(key) as Shelf[]).map(
        (shelf) => new InfiniteQueryObserver(client, listQuery(shelf)),
      ),
    [client, key],
  );
  useEffect(() => {
    const onChange = notifyManager.batchCalls(render);
    const endings = observers.map((observer) => observer.subscribe(onChange));
    return () => {
      for (const end of endings) end();
    };
  }, [observers]);
  return observers.map((observer) => listOf(observer.getCurrentResult()));
}

type Result = InfiniteQueryObserverResult<InfiniteData<HistoryPage>>;

const listByResult = new WeakMap<Result, List>();

/** The same list for the same result, so that its rows are made once. */
function listOf(result: Result): List {
  const list = listByResult.get(result) ?? newList(result);
  listByResult.set(result, list);
  return list;
}

function newList(result: Result): List {
  return {
    chats: result.data ? chatsOf(result.data) : [],
    ending: endingOf(result),
    updatedAtMs: result.dataUpdatedAt,
    loadMore: () => {
      if (!result.isFetching) void result.fetchNextPage();
    },
    reload: () => void result.refetch(),
  };
}

function endingOf(result: Result): Listed["ending"] {
  if (result.isFetchNextPageError || result.isLoadingError) return "failed";
  if (result.isPending) return "loading";
  return result.hasNextPage ? "more" : "end";
}
