import { Button } from "@/components/ui/button";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

interface MessageEditorProps {
  text: string;
  onSend: (text: string) => void;
  onCancel: () => void;
}

/** A question while it is put in other words. Enter asks it, Escape leaves it as it was. */
export function MessageEditor({ text, onSend, onCancel }: MessageEditorProps) {
  const { t } = useTranslation(["chat", "common"]);
  const [draft, setDraft] = useState(text);
  const box = useRef<HTMLTextAreaElement>(null);
  const isSendable = draft.trim() !== "";

  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, [text]);

  function submit(): void {
    if (!isSendable) return;
    if (draft.trim() === text) onCancel();
    else onSend(draft.trim());
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && !event.shiftKey) submit();
    else return;
    event.preventDefault();
  }

  return (
    <div className="w-full rounded-3xl border bg-surface p-3 focus-within:border-accent/60">
      <textarea
        ref={box}
        data-testid="message-editor"
        dir="auto"
        aria-label={t("editMessage")}
        rows={1}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-[50dvh] w-full resize-none scrollbar-quiet bg-transparent px-2 py-1 leading-relaxed outline-none"
      />
      <div className="mt-2 flex justify-end gap-2">
        <Button size="small" className="pointer-coarse:h-11" onClick={onCancel}>
          {t("common:cancel")}
        </Button>
        <Button
          size="small"
          variant="primary"
          data-testid="message-editor-send-button"
          className="pointer-coarse:h-11"
          disabled={!isSendable}
          onClick={submit}
        >
          {t("send")}
        </Button>
      </div>
    </div>
  );
}
