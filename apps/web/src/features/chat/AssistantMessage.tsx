import type { ChatMessage } from "@/lib/api/messages";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { AnswerPart } from "./AnswerPart";
import { MessageActions } from "./MessageActions";
import { type Source, Sources } from "./Sources";

interface AssistantMessageProps {
  message: ChatMessage;
  isStreaming: boolean;
  isLast: boolean;
}

export const AssistantMessage = memo(function AssistantMessage(props: AssistantMessageProps) {
  const { message, isStreaming, isLast } = props;
  const { t } = useTranslation("chat");
  return (
    <article
      data-testid="message-assistant"
      data-role="assistant"
      aria-label={t("answer")}
      aria-busy={isStreaming}
      className="message group/message"
    >
      <div data-testid="message-content">
        {message.parts.map((part, index) => (
          <AnswerPart
            key={index}
            part={part}
            isGrowing={isStreaming && index === message.parts.length - 1}
            isInLastMessage={isLast}
          />
        ))}
        <Sources sources={message.parts.filter(isSource)} />
      </div>
      {!isStreaming && (
        <MessageActions message={message} isAlwaysVisible={isLast} className="-ms-2 pt-1.5" />
      )}
    </article>
  );
});

function isSource(part: ChatMessage["parts"][number]): part is Source {
  return part.type === "source-url" || part.type === "source-document";
}
