import { answeringChats, unreadChats } from "@/lib/activity";
import { cn } from "@/lib/classNames";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";

export type Activity = "answering" | "unread";

/** What a chat does while it is not looked at. */
export function useActivity(chatId: string, isActive: boolean): Activity | undefined {
  const isAnswering = useSyncExternalStore(answeringChats.subscribe, () =>
    answeringChats.get().includes(chatId),
  );
  const isUnread = useSyncExternalStore(unreadChats.subscribe, () =>
    unreadChats.get().includes(chatId),
  );
  if (isAnswering) return "answering";
  return isUnread && !isActive ? "unread" : undefined;
}

export function ActivityDot({ id, activity }: { id: string; activity: Activity }) {
  const { t } = useTranslation("history");
  return (
    <span
      id={id}
      data-testid={`chat-${activity}`}
      title={t(activity)}
      className={cn(
        "pointer-events-none absolute inset-y-0 end-3.5 my-auto size-2 rounded-full bg-accent",
        "group-focus-within/row:opacity-0 group-hover/row:opacity-0 pointer-coarse:end-11 pointer-coarse:group-hover/row:opacity-100",
        activity === "answering" && "animate-pulse",
      )}
    >
      <span className="sr-only">{t(activity)}</span>
    </span>
  );
}
