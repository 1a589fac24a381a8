import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { groupByRecency } from "./groups";
import { HistoryItem } from "./HistoryItem";
import { useHistory } from "./useHistory";
import { useOnVisible } from "./useOnVisible";

interface HistoryListProps {
  activeChatId: string | undefined;
  onNavigate: () => void;
  onDeleted: (chatId: string) => void;
}

export function HistoryList({ activeChatId, onNavigate, onDeleted }: HistoryListProps) {
  const history = useHistory();
  const { data, dataUpdatedAt, isPending, isError, hasNextPage } = history;
  const end = useOnVisible(() => {
    if (hasNextPage && !history.isFetching) void history.fetchNextPage();
  });
  const chats = data?.pages.flatMap((page) => page.chats) ?? [];

  return (
    <nav
      aria-label="Chats"
      className="min-h-0 flex-1 scrollbar-quiet overflow-y-auto px-3 pt-1 pb-4"
    >
      {isPending && <LoadingRows />}
      {isError && (
        <div className="flex flex-col items-start gap-2 px-2.5 py-3 text-sm text-muted-foreground">
          Your chats could not be loaded.
          <Button size="small" onClick={() => void history.refetch()}>
            Try again
          </Button>
        </div>
      )}
      {!isPending && !isError && chats.length === 0 && (
        <p className="px-2.5 py-3 text-sm text-muted-foreground">Your chats will appear here.</p>
      )}
      {groupByRecency(chats, new Date(dataUpdatedAt)).map((group) => (
        <section key={group.label} aria-label={group.label} className="mb-4">
          <h2 className="px-2.5 pt-2 pb-1.5 text-xs font-medium text-muted-foreground">
            {group.label}
          </h2>
          <ul className="flex flex-col gap-px">
            {group.chats.map((chat) => (
              <HistoryItem
                key={chat.id}
                chat={chat}
                isActive={chat.id === activeChatId}
                onNavigate={onNavigate}
                onDeleted={onDeleted}
              />
            ))}
          </ul>
        </section>
      ))}
      <div ref={end}>{hasNextPage && <LoadingRows />}</div>
    </nav>
  );
}

function LoadingRows() {
  return (
    <div className="flex flex-col gap-3 px-2.5 py-3">
      <Skeleton className="h-4 w-4/5" />
      <Skeleton className="h-4 w-3/5" />
      <Skeleton className="h-4 w-2/3" />
    </div>
  );
}
