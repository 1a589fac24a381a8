import type { ChatSummary } from "@/lib/api/history";
import { cn } from "@/lib/classNames";
import { Check } from "lucide-react";
import { memo } from "react";
import { useList } from "./listContext";

interface ChatCheckboxProps {
  chat: ChatSummary;
  isFiled: boolean;
  isChosen: boolean;
  isTabStop: boolean;
}

/** A chat's row while several are chosen. */
export const ChatCheckbox = memo(function ChatCheckbox(props: ChatCheckboxProps) {
  const { chat, isFiled, isChosen, isTabStop } = props;
  const { select } = useList();
  return (
    <button
      type="button"
      role="checkbox"
      aria-checked={isChosen}
      data-key={chat.id}
      tabIndex={isTabStop ? 0 : -1}
      onClick={(event) => select(chat.id, event.shiftKey ? "range" : "one")}
      className={cn(
        "flex h-full w-full items-center gap-2.5 rounded-lg px-2.5 text-start text-sm transition-colors select-none hover:bg-muted",
        isFiled && "ps-8",
        isChosen && "bg-accent-soft hover:bg-accent-soft",
      )}
    >
      <span
        className={cn(
          "flex size-4 shrink-0 items-center justify-center rounded border border-muted-foreground/60",
          isChosen && "border-accent-text bg-accent-text text-background",
        )}
      >
        {isChosen && <Check className="size-3" strokeWidth={3} />}
      </span>
      <span className="truncate">{chat.title}</span>
    </button>
  );
});
