import { messageText } from "@/lib/api/messages";
import type { Model } from "@/lib/api/models";
import { cn } from "@/lib/classNames";
import { useSignal } from "@/lib/signal";
import { Announcer } from "./Announcer";
import { AnswerNote } from "./AnswerNote";
import { Composer } from "./Composer";
import { ComposerNotes } from "./ComposerNotes";
import type { Conversation } from "./conversations";
import { Greeting } from "./Greeting";
import { MessageList } from "./MessageList";
import { SuggestedActions } from "./SuggestedActions";
import { useAnswer } from "./useAnswer";
import { unfinishedReason } from "./unfinished";
import { useDraft } from "./useDraft";

const CONTINUE_REQUEST = "Please continue.";

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
  const { messages, error, isBusy, send, retry, stop } = useAnswer(conversation, model);
  const isReconnecting = useSignal(conversation.isReconnecting);
  const [draft, setDraft] = useDraft(draftKey, initialText);
  const last = messages.at(-1);
  const isSettled = !isBusy && !isReadonly;
  const reason = last && isSettled ? unfinishedReason(last, error !== undefined) : undefined;

  function sendText(text: string): void {
    if (!send(text)) return;
    setDraft("");
    if (!last) onFirstSend();
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
              onContinue={model?.isChat ? () => sendText(CONTINUE_REQUEST) : undefined}
            />
          )}
        </MessageList>
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
          Language models make mistakes. Check what matters.
        </p>
      ) : (
        <div className="md:grow-3">
          <SuggestedActions model={model} onChoose={sendText} />
        </div>
      )}
      <Announcer isBusy={isBusy} />
    </div>
  );
}
