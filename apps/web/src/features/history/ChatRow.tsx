import type { ChatSummary } from "@/lib/api/history";
import { cn } from "@/lib/classNames";
import { useDraggable } from "@dnd-kit/core";
import { Link } from "@tanstack/react-router";
import { type MouseEvent, memo } from "react";
import { useTranslation } from "react-i18next";
import { ActivityDot, useActivity } from "./ActivityDot";
import { ChatMenu } from "./ChatMenu";
import { RowMenu } from "./RowMenu";
import { TitleField } from "./TitleField";
import { type RowMode, useList } from "./listContext";

export interface ChatRowProps {
  chat: ChatSummary;
  isFiled: boolean;
  isActive: boolean;
  isTabStop: boolean;
  mode: RowMode["kind"] | undefined;
}

export const ChatRow = memo(function ChatRow(props: ChatRowProps) {
  const { chat, isFiled, isActive, isTabStop, mode } = props;
  const { t } = useTranslation("history");
  const { edit, leave, select, setMode, focus } = useList();
  const activity = useActivity(chat.id, isActive);
  const drag = useDraggable({ id: chat.id, data: chat, disabled: mode === "renaming" });
  const tabIndex = isTabStop ? 0 : -1;

  function end(): void {
    setMode(null);
    focus(chat.id);
  }

  function onClick(event: MouseEvent): void {
    if (!event.shiftKey && !event.ctrlKey && !event.metaKey) return leave();
    event.preventDefault();
    select(chat.id, event.shiftKey ? "range" : "one");
  }

  if (mode === "renaming") {
    return (
      <TitleField
        label={t("chatTitle")}
        title={chat.title}
        onCancel={end}
        onSave={(title) => {
          edit([chat], { title });
          end();
        }}
      />
    );
  }
  return (
    <div
      ref={drag.setNodeRef}
      className={cn(
        "group/row relative h-full rounded-lg transition-colors hover:bg-muted has-data-[state=open]:bg-muted",
        isActive && "bg-muted",
        drag.isDragging && "opacity-40",
      )}
    >
      <Link
        ref={drag.setActivatorNodeRef}
        to="/chat/$chatId"
        params={{ chatId: chat.id }}
        {...drag.listeners}
        draggable={false}
        data-key={chat.id}
        tabIndex={tabIndex}
        onClick={onClick}
        aria-current={isActive ? "page" : undefined}
        aria-describedby={activity && `${chat.id}-activity`}
        aria-keyshortcuts="F2 Delete Space"
        title={chat.title}
        className={cn(
          "flex h-full items-center rounded-lg ps-2.5 pe-9 text-sm pointer-coarse:pe-11",
          isFiled && "ps-8",
        )}
      >
        <span className={cn("truncate", activity === "unread" && "font-medium")}>{chat.title}</span>
      </Link>
      {activity && <ActivityDot id={`${chat.id}-activity`} activity={activity} />}
      <RowMenu rowKey={chat.id} name={chat.title} isOpen={mode === "menu"} isTabStop={isTabStop}>
        <ChatMenu chat={chat} />
      </RowMenu>
    </div>
  );
});
