import { type ChatMessage, messageText } from "@/lib/api/messages";
import { memo } from "react";
import { MessageActions } from "./MessageActions";

export const UserMessage = memo(function UserMessage({ message }: { message: ChatMessage }) {
  return (
    <article
      data-testid="message-user"
      data-role="user"
      aria-label="You"
      className="group/message relative flex flex-col items-end"
    >
      <div
        data-testid="message-content"
        className="max-w-[85%] rounded-3xl rounded-ee-lg bg-muted px-4 py-2.5 leading-relaxed wrap-anywhere whitespace-pre-wrap"
      >
        {messageText(message)}
      </div>
      <MessageActions
        message={message}
        isAlwaysVisible={false}
        onRegenerate={undefined}
        className="end-0"
      />
    </article>
  );
});
