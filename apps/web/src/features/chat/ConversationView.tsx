import { type ChatMessage, messageText } from "@/lib/api/messages";
import type { Model } from "@/lib/api/models";
import { isToolPart } from "@/lib/api/toolParts";
import { cn } from "@/lib/classNames";
import { onAskToEditLast } from "@/lib/editLast";
import type { FileUIPart } from "ai";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Announcer } from "./Announcer";
import { AnswerNote } from "./AnswerNote";
import type { Conversation } from "./conversation";
import { DeedsContext } from "./deeds";
import { Greeting } from "./Greeting";
import { MessageList } from "./MessageList";
import { useAnswer } from "./useAnswer";
import { useCatchUp } from "./useCatchUp";
import { unfinishedReason } from "./unfinished";

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
  const { t } = useTranslation("chat");
  const { messages, error, isBusy, send, stop, deeds } = useAnswer(conversation, model);
  const last = messages.at(-1);
  const isSettled = !isBusy && !isReadonly;
  const reason = last && isSettled ? unfinishedReason(last, error !== undefined) : undefined;
  useCatchUp(conversation);
  useEditLast(conversation);

  function sendMessage(text: string, files: FileUIPart[] = []): boolean {
    const isTaken = send(text, files);
    if (isTaken && !last) onFirstSend();
    return isTaken;
  }

  // One tree for both states: the composer stays the same element, and so keeps the focus.
  return (
    <div className={cn("flex min-h-0 flex-1 flex-col", !last && "overflow-y-auto")}>
      {last ? (
        <DeedsContext value={isReadonly ? undefined : deeds}>
          <MessageList conversation={conversation} messages={messages} isBusy={isBusy}>
            {reason && (
              <AnswerNote
                reason={reason}
                hasAnswer={last.role === "assistant" && messageText(last) !== ""}
                onRetry={() => deeds.regenerate()}
                onContinue={model?.isChat ? () => sendMessage(t("pleaseContinue")) : undefined}
              />
            )}
          </MessageList>
        </DeedsContext>
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
          {t(isReadonly ? "readonly" : "caution")}
        </p>
      )}
      <Announcer isBusy={isBusy} isAsking={isSettled && isAsking(last)} />
    </div>
  );
}

/** Up in the empty box edits the last question. */
function useEditLast({ chat, editing }: Conversation): void {
  useEffect(
    () =>
      onAskToEditLast(() => {
        const question = chat.messages.findLast(({ role }) => role === "user");
        if (question && chat.status === "ready") editing.set(question.id);
      }),
    [chat, editing],
  );
}

function isAsking(message: ChatMessage | undefined): boolean {
  return (
    message?.parts.some((part) => isToolPart(part) && part.state === "approval-requested") ?? false
  );
}
