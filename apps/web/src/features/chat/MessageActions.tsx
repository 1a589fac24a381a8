import { type ChatMessage, messageText } from "@/lib/api/messages";
import { cn } from "@/lib/classNames";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy, Pencil, RotateCcw, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { ActionButton } from "./ActionButton";
import { BranchSwitch } from "./BranchSwitch";
import { useMessageDeeds } from "./deeds";
import { VoteButtons } from "./VoteButtons";

interface MessageActionsProps {
  message: ChatMessage;
  isAlwaysVisible: boolean;
  className?: string;
}

/** Quiet until the message is hovered or focused; always there on touch screens. */
export function MessageActions({ message, isAlwaysVisible, className }: MessageActionsProps) {
  const { t } = useTranslation("chat");
  const deeds = useMessageDeeds();
  const { isCopied, copy } = useCopy();
  const isAnswer = message.role === "assistant";
  const text = messageText(message);
  return (
    <div
      className={cn(
        "flex items-center transition-opacity",
        !isAlwaysVisible &&
          "opacity-0 group-focus-within/message:opacity-100 group-hover/message:opacity-100 pointer-coarse:opacity-100",
        className,
      )}
    >
      <BranchSwitch metadata={message.metadata} />
      {text && (
        <ActionButton label={isCopied ? t("copied") : t("copyMessage")} onClick={() => copy(text)}>
          {isCopied ? <Check className="size-4" /> : <Copy className="size-4" />}
        </ActionButton>
      )}
      {deeds && isAnswer && (
        <>
          <VoteButtons chatId={deeds.chatId} messageId={message.id} />
          <ActionButton label={t("regenerate")} onClick={() => deeds.regenerate(message.id)}>
            <RotateCcw className="size-4" />
          </ActionButton>
        </>
      )}
      {deeds && !isAnswer && (
        <ActionButton
          label={t("editMessage")}
          data-testid="message-edit-button"
          onClick={() => deeds.startEditing(message.id)}
        >
          <Pencil className="size-4" />
        </ActionButton>
      )}
      {deeds && (
        <ActionButton label={t("deleteMessage")} onClick={() => deeds.remove(message.id)}>
          <Trash2 className="size-4" />
        </ActionButton>
      )}
    </div>
  );
}
