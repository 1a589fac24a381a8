import { type ChatMessage, messageText } from "@/lib/api/messages";
import { memo, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Attachments } from "./Attachments";
import { useMessageDeeds } from "./deeds";
import { MessageActions } from "./MessageActions";
import { MessageEditor } from "./MessageEditor";
import type { Signal } from "@/lib/signal";

interface UserMessageProps {
  message: ChatMessage;
  editing: Signal<string | undefined>;
}

export const UserMessage = memo(function UserMessage({ message, editing }: UserMessageProps) {
  const { t } = useTranslation("chat");
  const deeds = useMessageDeeds();
  const isEditing = useSyncExternalStore(editing.subscribe, () => editing.get() === message.id);
  const text = messageText(message);
  return (
    <article
      data-testid="message-user"
      data-role="user"
      aria-label={t("you")}
      className="message group/message flex flex-col items-end"
    >
      <Attachments files={message.parts.filter((part) => part.type === "file")} />
      {isEditing && deeds ? (
        <MessageEditor
          text={text}
          onSend={(edited) => deeds.edit(message.id, edited)}
          onCancel={() => deeds.startEditing(undefined)}
        />
      ) : (
        <>
          {text && (
            <div
              data-testid="message-content"
              dir="auto"
              className="max-w-[85%] rounded-3xl rounded-ee-lg bg-muted px-4 py-2.5 leading-relaxed wrap-anywhere whitespace-pre-wrap"
            >
              {text}
            </div>
          )}
          <MessageActions message={message} isAlwaysVisible={false} className="pt-0.5" />
        </>
      )}
    </article>
  );
});
