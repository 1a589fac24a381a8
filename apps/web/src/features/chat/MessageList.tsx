import type { ChatMessage } from "@/lib/api/messages";
import { isToolPart } from "@/lib/api/toolParts";
import { useSignal } from "@/lib/signal";
import { useMediaQuery } from "@/lib/useMediaQuery";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { StickToBottom, useStickToBottom } from "use-stick-to-bottom";
import { AssistantMessage } from "./AssistantMessage";
import type { Conversation } from "./conversation";
import { Earlier } from "./Earlier";
import { ScrollToBottom } from "./ScrollToBottom";
import { useKeepPlace } from "./useKeepPlace";
import { UserMessage } from "./UserMessage";
import { Waiting } from "./Waiting";

interface MessageListProps {
  conversation: Conversation;
  messages: ChatMessage[];
  isBusy: boolean;
  /** What follows the last message. */
  children: ReactNode;
}

export function MessageList({ conversation, messages, isBusy, children }: MessageListProps) {
  const { t } = useTranslation("chat");
  const isCalm = useMediaQuery("(prefers-reduced-motion: reduce)");
  const isReconnecting = useSignal(conversation.isReconnecting);
  const deleted = useSignal(conversation.deletions.pending);
  const shown = deleted.size > 0 ? messages.filter(({ id }) => !deleted.has(id)) : messages;
  const isWaiting = isReconnecting || (isBusy && !hasVisibleParts(shown.at(-1)));
  const first = messages[0]?.id;
  const stick = useStickToBottom({ initial: "instant", resize: isCalm ? "instant" : "smooth" });
  useKeepPlace(stick.scrollRef, first);

  return (
    <StickToBottom className="relative min-h-0 flex-1" instance={stick}>
      <StickToBottom.Content
        role="log"
        aria-label={t("messages")}
        aria-busy={isBusy}
        tabIndex={-1} // a click in it makes it hear keys
        scrollClassName="fade-edges scrollbar-quiet overscroll-contain"
        className="mx-auto flex w-full max-w-3xl flex-col gap-4 px-4 pt-6 pb-10 outline-none md:px-6"
      >
        <Earlier conversation={conversation} first={first} />
        {shown.map((message, index) => {
          const isLast = index === shown.length - 1;
          if (message.role === "user") {
            return (
              <UserMessage key={message.id} message={message} editing={conversation.editing} />
            );
          }
          return (
            <AssistantMessage
              key={message.id}
              message={message}
              isStreaming={isLast && isBusy}
              isLast={isLast}
            />
          );
        })}
        {isWaiting && <Waiting isReconnecting={isReconnecting} />}
        {children}
      </StickToBottom.Content>
      <ScrollToBottom isCalm={isCalm} />
    </StickToBottom>
  );
}

function hasVisibleParts(message: ChatMessage | undefined): boolean {
  if (message?.role !== "assistant") return false;
  return message.parts.some(
    (part) =>
      part.type === "file" ||
      isToolPart(part) ||
      ((part.type === "text" || part.type === "reasoning") && part.text !== ""),
  );
}
