import type { ChatMessage } from "@/lib/api/messages";
import { isToolPart } from "@/lib/api/toolParts";
import { GeneratedFile } from "./GeneratedFile";
import { MessageText } from "./MessageText";
import { Reasoning } from "./Reasoning";
import { ToolCall } from "./ToolCall";
import { thoughtSeconds } from "./thoughtSeconds";

interface AnswerPartProps {
  part: ChatMessage["parts"][number];
  /** The last part of an answer that is being written. */
  isGrowing: boolean;
  isInLastMessage: boolean;
}

export function AnswerPart({ part, isGrowing, isInLastMessage }: AnswerPartProps) {
  if (part.type === "text") return <MessageText text={part.text} isStreaming={isGrowing} />;
  // Of some thoughts there is only what their provider wants to see again.
  if (part.type === "reasoning" && (part.text || isGrowing)) {
    return <Reasoning text={part.text} isStreaming={isGrowing} seconds={thoughtSeconds(part)} />;
  }
  if (part.type === "file") return <GeneratedFile file={part} />;
  if (isToolPart(part)) return <ToolCall tool={part} isDecidable={isInLastMessage && !isGrowing} />;
  if (part.type === "data-notice") {
    return (
      <p data-testid="message-notice" className="mb-3 text-sm text-muted-foreground">
        {part.data.text}
      </p>
    );
  }
  return null;
}
