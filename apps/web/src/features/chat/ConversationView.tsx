import { type ChatMessage, messageText } from "@/lib/api/messages";
import type { Model } from "@/lib/api/models";
import { isToolPart } from "@/lib/api/toolParts";
import { cn } from "@/lib/classNames";
import { onAskToEditLast } from "@/lib/editLast";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Announcer } from "./Announcer";
import { AnswerNote } from "./AnswerNote";
import { Composer } from "./Composer";
import { ComposerNotes } from "./ComposerNotes";
import type { Conversation } from "./conversations";
import { DeedsContext } from "./deeds";
import { Greeting } from "./Greeting";
import { MessageList } from "./MessageList";
import { SuggestedActions } from "./SuggestedActions";
import { useAnswer } from "./useAnswer";
import { useCatchUp } from "./useCatchUp";
import { unfinishedReason } from "./unfinished";
import { useDraft } from "./useDraft";

interface ConversationViewProps {
  conversation: Conversation;
  model: Model | undefined;
  draftKey: string;
  initialText: string;
  isReadonly: boolean;
  onFirstSend: () => void;
}

export function ConversationView(props: ConversationViewProps) {
  const { conversation, model, draftKey, initialText, isReadonly, onFirstSend } = props;
  const { t } = useTranslation("chat");
  const { messages, error, isBusy, send, stop, deeds } = useAnswer(conversation, model);
  const [draft, setDraft] = useDraft(draftKey, initialText);
  const last = messages.at(-1);
  const isSettled = !isBusy && !isReadonly;
  const reason = last && isSettled ? unfinishedReason(last, error !== undefined) : undefined;
  useCatchUp(conversation);
  useEditLast(conversation);

  function sendText(text: string): void {
    if (!send(text)) return;
    setDraft("");
    if (!last) onFirstSend();
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
                onContinue={model?.isChat ? () => sendText(t("pleaseContinue")) : undefined}
              />
            )}
          </MessageList>
        </DeedsContext>
      ) : (
        <div className="flex grow-2 flex-col justify-center md:justify-end">
          <Greeting model={model} />
        </div>
      )}
      <div
        key="composer"
        className={cn(
          "mx-auto w-full max-w-3xl px-3 md:px-6",
          !last && "max-md:order-1 max-md:pb-4",
        )}
      >
        <ComposerNotes model={model} />
        {!isReadonly && (
          <Composer
            text={draft}
            onTextChange={setDraft}
            isBusy={isBusy}
            placeholder={model?.isChat === false ? "Write a beginning…" : "Ask anything…"}
            onSend={sendText}
            onStop={() => void stop()}
          />
        )}
      </div>
      {last ? (
        <p className="px-4 pt-2 pb-3 text-center text-xs text-muted-foreground">
          {t(isReadonly ? "readonly" : "caution")}
        </p>
      ) : (
        <div className="md:grow-3">
          <SuggestedActions model={model} onChoose={sendText} />
        </div>
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
