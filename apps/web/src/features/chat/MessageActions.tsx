import { IconButton } from "@/components/ui/iconButton";
import { type ChatMessage, messageText } from "@/lib/api/messages";
import { cn } from "@/lib/classNames";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy, RotateCcw } from "lucide-react";

interface MessageActionsProps {
  message: ChatMessage;
  isAlwaysVisible: boolean;
  onRegenerate: (() => void) | undefined;
  className?: string;
}

/** Quiet until the message is hovered or focused; always there on touch screens. */
export function MessageActions(props: MessageActionsProps) {
  const { message, isAlwaysVisible, onRegenerate, className } = props;
  const { isCopied, copy } = useCopy();
  return (
    <div
      className={cn(
        "flex transition-opacity",
        !isAlwaysVisible &&
          "absolute top-full opacity-0 group-focus-within/message:opacity-100 group-hover/message:opacity-100 pointer-coarse:opacity-100",
        className,
      )}
    >
      <IconButton
        size="iconSmall"
        label={isCopied ? "Copied" : "Copy message"}
        onClick={() => copy(messageText(message))}
      >
        {isCopied ? <Check className="size-4" /> : <Copy className="size-4" />}
      </IconButton>
      {onRegenerate && (
        <IconButton size="iconSmall" label="Regenerate answer" onClick={onRegenerate}>
          <RotateCcw className="size-4" />
        </IconButton>
      )}
    </div>
  );
}
