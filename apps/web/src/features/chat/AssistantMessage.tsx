import { type ChatMessage, messageText } from "@/lib/api/messages";
import { isDocumentTool, isToolPart } from "@/lib/api/toolParts";
import { Fragment, memo, use } from "react";
import { DocumentSlot } from "./documentSlot";
import { GeneratedFile } from "./GeneratedFile";
import { MessageActions } from "./MessageActions";
import { MessageText } from "./MessageText";
import { Reasoning } from "./Reasoning";
import { Sources } from "./Sources";

interface AssistantMessageProps {
  message: ChatMessage;
  isStreaming: boolean;
  isLast: boolean;
  onRegenerate: (() => void) | undefined;
}

export const AssistantMessage = memo(function AssistantMessage(props: AssistantMessageProps) {
  const { message, isStreaming, isLast, onRegenerate } = props;
  const renderDocument = use(DocumentSlot);
  return (
    <article
      data-testid="message-assistant"
      data-role="assistant"
      aria-label="Answer"
      aria-busy={isStreaming}
      className="group/message relative"
    >
      <div data-testid="message-content">
        {message.parts.map((part, index) => {
          const isGrowing = isStreaming && index === message.parts.length - 1;
          if (part.type === "text") {
            return <MessageText key={index} text={part.text} isStreaming={isGrowing} />;
          }
          // Of some thoughts there is only what their provider wants to see again.
          if (part.type === "reasoning" && (part.text || isGrowing)) {
            return <Reasoning key={index} text={part.text} isStreaming={isGrowing} />;
          }
          if (part.type === "file") return <GeneratedFile key={index} file={part} />;
          if (renderDocument && isToolPart(part) && isDocumentTool(part)) {
            return <Fragment key={index}>{renderDocument(part)}</Fragment>;
          }
          if (part.type === "data-notice") {
            return (
              <p
                key={index}
                data-testid="message-notice"
                className="mb-3 text-sm text-muted-foreground"
              >
                {part.data.text}
              </p>
            );
          }
          return null;
        })}
        <Sources sources={message.parts.filter((part) => part.type === "source-url")} />
      </div>
      {!isStreaming && messageText(message) && (
        <MessageActions
          message={message}
          isAlwaysVisible={isLast}
          onRegenerate={onRegenerate}
          className="-ms-2 pt-1.5"
        />
      )}
    </article>
  );
});
