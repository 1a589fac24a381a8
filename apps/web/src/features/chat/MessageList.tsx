import type { ChatMessage } from "@/lib/api/messages";
import { useMediaQuery } from "@/lib/useMediaQuery";
import type { ReactNode } from "react";
import { StickToBottom } from "use-stick-to-bottom";
import { AssistantMessage } from "./AssistantMessage";
import { ScrollToBottom } from "./ScrollToBottom";
import { UserMessage } from "./UserMessage";
import { Waiting } from "./Waiting";

interface MessageListProps {
  messages: ChatMessage[];
  isBusy: boolean;
  isReconnecting: boolean;
  onRegenerate: (() => void) | undefined;
  /** What follows the last message. */
  children: ReactNode;
}

export function MessageList(props: MessageListProps) {
  const { messages, isBusy, isReconnecting, onRegenerate, children } = props;
  const isCalm = useMediaQuery("(prefers-reduced-motion: reduce)");
  const isWaiting = isReconnecting || (isBusy && !hasVisibleParts(messages.at(-1)));

  return (
    <StickToBottom
      className="relative min-h-0 flex-1"
      initial="instant"
      resize={isCalm ? "instant" : "smooth"}
    >
      <StickToBottom.Content
        role="log"
        aria-label="Messages"
        aria-busy={isBusy}
        scrollClassName="fade-edges scrollbar-quiet overscroll-contain"
        className="mx-auto flex w-full max-w-3xl flex-col gap-7 px-4 pt-6 pb-10 md:px-6"
      >
        {messages.map((message, index) => {
          const isLast = index === messages.length - 1;
          if (message.role === "user") return <UserMessage key={message.id} message={message} />;
          return (
            <AssistantMessage
              key={message.id}
              message={message}
              isStreaming={isLast && isBusy}
              isLast={isLast}
              onRegenerate={isLast && !isBusy ? onRegenerate : undefined}
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
      ((part.type === "text" || part.type === "reasoning") && part.text !== ""),
  );
}
