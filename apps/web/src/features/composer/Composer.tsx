import type { Model } from "@/lib/api/models";
import { cn } from "@/lib/classNames";
import type { FileUIPart } from "ai";
import { Paperclip } from "lucide-react";
import { useTranslation } from "react-i18next";
import { AttachmentPreview } from "./AttachmentPreview";
import { acceptedTypes } from "./attachment";
import { CommandMenu } from "./CommandMenu";
import type { Command } from "./command";
import { MessageBox } from "./MessageBox";
import { SendButton } from "./SendButton";
import { useCommandMenu } from "./useCommandMenu";
import { useComposerKeys } from "./useComposerKeys";
import type { useDraft } from "./useDraft";
import { useDropzone } from "react-dropzone";
import { useAttaching } from "./useAttaching";
import { useSending } from "./useSending";
import { IconButton } from "@/components/ui/iconButton";

interface ComposerProps {
  draft: ReturnType<typeof useDraft>;
  model: Model | undefined;
  commands: Command[];
  isBusy: boolean;
  onSend: (text: string, files: FileUIPart[]) => boolean;
  onStop: () => void;
}

/** Where people write. Enter sends, Shift+Enter breaks the line; the send button becomes stop. */
export function Composer({ draft, model, commands, isBusy, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation("composer");
  const { text, setText, attachments } = draft;
  const { submit, run, isEmpty, isUploading } = useSending({ draft, commands, isBusy, onSend });
  const menu = useCommandMenu({ commands, text, onComplete: setText, onRun: (it) => run(it, "") });
  const seesImages = model?.capabilities.vision ?? false;
  const attach = useAttaching({ draft, model });
  const onKeyDown = useComposerKeys({ draft, menu, submit });
  const { getRootProps, getInputProps, isDragActive, open } = useDropzone({
    onDrop: (files) => attach(files),
    noClick: true,
    noKeyboard: true,
  });

  return (
    <form
      {...getRootProps({ role: undefined, tabIndex: undefined })}
      data-testid="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      className={cn(
        "relative rounded-[1.6rem] border bg-surface p-2 shadow-float transition-colors",
        "focus-within:border-accent/60",
        isDragActive && "border-accent bg-accent-soft",
      )}
    >
      {menu.isOpen && (
        <CommandMenu
          id={menu.id}
          commands={menu.offered}
          activeIndex={menu.activeIndex}
          onPoint={menu.point}
          onChoose={menu.choose}
        />
      )}
      {attachments.length > 0 && (
        <ul
          data-testid="attachments-preview"
          aria-label={t("attachments")}
          className="flex flex-wrap gap-2 px-1 pt-1 pb-2"
        >
          {attachments.map((attachment) => (
            <AttachmentPreview
              key={attachment.id}
              attachment={attachment}
              onRemove={() => draft.remove(attachment.id)}
              onRetry={() => draft.retry(attachment.id)}
            />
          ))}
        </ul>
      )}
      <div className="flex items-end gap-1">
        <input
          {...getInputProps({
            "aria-label": t("chooseFiles"),
            className: "hidden",
            accept: acceptedTypes(seesImages),
          })}
        />
        <IconButton
          label={t("attach")}
          data-testid="attachments-button"
          className="rounded-full pointer-coarse:size-11"
          onClick={open}
        >
          <Paperclip className="size-[18px]" />
        </IconButton>
        <MessageBox
          text={text}
          placeholder={t(model?.isChat === false ? "writeBeginning" : "askAnything")}
          onTextChange={setText}
          onKeyDown={onKeyDown}
          {...menu.field}
        />
        <SendButton isBusy={isBusy} isDisabled={isEmpty || isUploading} onStop={onStop} />
      </div>
    </form>
  );
}
