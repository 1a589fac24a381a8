import type { ChatSummary } from "@/lib/api/history";
import { cn } from "@/lib/classNames";
import { useDraggable } from "@dnd-kit/core";
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
  const { edit, open, select, setMode, focus } = useList();
  const activity = useActivity(chat.id, isActive);
  const drag = useDraggable({ id: chat.id, data: chat, disabled: mode === "renaming" });
  const tabIndex = isTabStop ? 0 : -1;

  function end(): void {
    setMode(null);
    focus(chat.id);
  }

  function onClick(event: MouseEvent): void {
    event.preventDefault();
    if (event.shiftKey) select(chat.id, "range");
    else if (event.ctrlKey || event.metaKey) select(chat.id, "one");
    else open(chat.id);
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
      {/* Not the router's Link, which takes too long to make hundreds of in a second. */}
      <a
        ref={drag.setActivatorNodeRef}
        href={`/chat/${chat.id}`}
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
          "flex h-full touch-manipulation items-center rounded-lg ps-2.5 pe-9 text-sm select-none [-webkit-touch-callout:none] pointer-coarse:pe-11",
          isFiled && "ps-8",
        )}
      >
        <span dir="auto" className={cn("truncate", activity === "unread" && "font-medium")}>
          {chat.title}
        </span>
      </a>
      {activity && <ActivityDot id={`${chat.id}-activity`} activity={activity} />}
      <RowMenu rowKey={chat.id} name={chat.title} isOpen={mode === "menu"} isTabStop={isTabStop}>
        <ChatMenu chat={chat} />
      </RowMenu>
    </div>
  );
});
