import { messageText } from "@/lib/api/messages";
import type { Model } from "@/lib/api/models";
import { cn } from "@/lib/classNames";
import { useSignal } from "@/lib/signal";
import type { FileUIPart } from "ai";
import type { ReactNode } from "react";
import { Announcer } from "./Announcer";
import { AnswerNote } from "./AnswerNote";
import type { Conversation } from "./conversations";
import { Greeting } from "./Greeting";
import { MessageList } from "./MessageList";
import { useAnswer } from "./useAnswer";
import { unfinishedReason } from "./unfinished";

const CONTINUE_REQUEST = "Please continue.";

/** What the composer is told of the conversation, and may do in it. */
export interface Answering {
  isEmpty: boolean;
  isBusy: boolean;
  isReadonly: boolean;
  /** Of the last message, if it is an answer: then the gateway has the question. */
  answerId: string | undefined;
  /** Returns whether the message was taken: if not, it stays in the box. */
  onSend: (text: string, files: FileUIPart[]) => boolean;
  onStop: () => void;
}

export type RenderComposer = (answering: Answering) => ReactNode;

interface ConversationViewProps {
  conversation: Conversation;
  model: Model | undefined;
  isReadonly: boolean;
  onFirstSend: () => void;
  renderComposer: RenderComposer;
}

export function ConversationView(props: ConversationViewProps) {
  const { conversation, model, isReadonly, onFirstSend, renderComposer } = props;
  const { messages, error, isBusy, send, retry, stop } = useAnswer(conversation, model);
  const isReconnecting = useSignal(conversation.isReconnecting);
  const last = messages.at(-1);
  const isSettled = !isBusy && !isReadonly;
  const reason = last && isSettled ? unfinishedReason(last, error !== undefined) : undefined;

  function sendMessage(text: string, files: FileUIPart[] = []): boolean {
    const isTaken = send(text, files);
    if (isTaken && !last) onFirstSend();
    return isTaken;
  }

  // One tree for both states: the composer stays the same element, and so keeps the focus.
  return (
    <div className={cn("flex min-h-0 flex-1 flex-col", !last && "overflow-y-auto")}>
      {last ? (
        <MessageList
          messages={messages}
          isBusy={isBusy}
          isReconnecting={isReconnecting}
          onRegenerate={isReadonly || reason ? undefined : retry}
        >
          {reason && (
            <AnswerNote
              reason={reason}
              hasAnswer={last.role === "assistant" && messageText(last) !== ""}
              onRetry={retry}
              onContinue={model?.isChat ? () => sendMessage(CONTINUE_REQUEST) : undefined}
            />
          )}
        </MessageList>
      ) : (
        <div className="flex grow-2 flex-col justify-center md:justify-end">
          <Greeting model={model} />
        </div>
      )}
      <div key="composer" className={cn("flex flex-col", !last && "md:grow-3")}>
        {renderComposer({
          isEmpty: !last,
          isBusy,
          isReadonly,
          answerId: last?.role === "assistant" ? last.id : undefined,
          onSend: sendMessage,
          onStop: () => void stop(),
        })}
      </div>
      {last && (
        <p className="px-4 pt-2 pb-3 text-center text-xs text-muted-foreground">
          Language models make mistakes. Check what matters.
        </p>
      )}
      <Announcer isBusy={isBusy} />
    </div>
  );
}
