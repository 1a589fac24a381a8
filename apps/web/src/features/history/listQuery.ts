/** One list of chats, page by page. */
import { type Shelf, fetchHistory, nextCursor, shelfKey } from "@/lib/api/history";
import { infiniteQueryOptions } from "@tanstack/react-query";

/** So many pages are read again whenever the page is looked at; more only when they are old. */
const FEW_PAGES = 10;

export function listQuery(shelf: Shelf) {
  return infiniteQueryOptions({
    queryKey: shelfKey(shelf),
    queryFn: ({ pageParam, signal }) => fetchHistory(shelf, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextCursor,
    // To compare all chats with all chats takes longer than to show those in view again.
    structuralSharing: false,
    // Other tabs change the lists, too.
    refetchOnWindowFocus: ({ state }) =>
      (state.data?.pages.length ?? 0) <= FEW_PAGES ? "always" : true,
  });
}
