import type { Model } from "@/lib/api/models";
import { cn } from "@/lib/classNames";
import type { FileUIPart } from "ai";
import { Composer } from "./Composer";
import { ComposerNotes } from "./ComposerNotes";
import type { Command } from "./command";
import { SuggestedActions } from "./SuggestedActions";
import { useDraft } from "./useDraft";

interface ComposerAreaProps {
  chatId: string;
  isNew: boolean;
  initialText: string;
  model: Model | undefined;
  commands: Command[];
  isEmpty: boolean;
  isBusy: boolean;
  isReadonly: boolean;
  /** Of the last message, if it is an answer. */
  answerId: string | undefined;
  /** Returns whether the message was taken: if not, it stays in the box. */
  onSend: (text: string, files: FileUIPart[]) => boolean;
  onStop: () => void;
}

/** The foot of a conversation: what to know before writing, the box, and ideas for a first message. */
export function ComposerArea(props: ComposerAreaProps) {
  const { chatId, isNew, initialText, isEmpty, answerId, model, isReadonly, onSend } = props;
  const draft = useDraft({ chatId, isNew, initialText, end: { isEmpty, answerId } });

  return (
    <>
      <div
        className={cn(
          "mx-auto w-full max-w-3xl px-3 md:px-6",
          isEmpty && "max-md:order-1 max-md:pb-4",
        )}
      >
        <ComposerNotes model={model} attachments={draft.attachments} />
        {!isReadonly && (
          <Composer
            draft={draft}
            model={model}
            commands={props.commands}
            isBusy={props.isBusy}
            onSend={onSend}
            onStop={props.onStop}
          />
        )}
      </div>
      {isEmpty && !isReadonly && (
        <SuggestedActions model={model} onChoose={(text) => onSend(text, [])} />
      )}
    </>
  );
}
