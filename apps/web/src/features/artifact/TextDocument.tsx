import { Button } from "@/components/ui/button";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import CodeEditor from "./CodeEditor";
import type { DocumentBodyProps } from "./documentBodyProps";
import { MarkdownPreview } from "./MarkdownPreview";
import { SuggestionList } from "./SuggestionList";
import TextEditor, { survivesEditor } from "./TextEditor";
import { useSuggestions } from "./useSuggestions";

/**
 * A text as it will be read, edited in place. One that the rich editor could not keep whole, with a
 * table for instance, is edited as Markdown instead.
 */
export default function TextDocument(props: DocumentBodyProps) {
  const { documentId, title, content, versionId, isWriting, isOwn, onEdit } = props;
  const { t } = useTranslation("artifact");
  const [isSource, setIsSource] = useState(false);
  const isRich = useMemo(
    () => isWriting || survivesEditor(content),
    // oxlint-disable-next-line react/exhaustive-deps -- an edit in the editor cannot outgrow it
    [versionId, isWriting, isSource],
  );
  const { suggestions, apply, dismiss } = useSuggestions(documentId, isOwn, content, onEdit);
  const isRichEdit = onEdit && isRich && !isSource;

  return (
    <>
      <div className="min-h-0 flex-1 scrollbar-quiet overflow-y-auto">
        {onEdit && (
          <div className="flex flex-wrap items-center justify-end gap-2 px-4 pt-2">
            {!isRich && !isSource && (
              <p className="flex-1 text-xs text-muted-foreground">{t("text.sourceOnly")}</p>
            )}
            <Button
              variant="ghost"
              size="small"
              aria-pressed={isSource}
              onClick={() => setIsSource(!isSource)}
            >
              {t("text.source")}
            </Button>
          </div>
        )}
        {onEdit && isSource ? (
          <CodeEditor content={content} label={title} language="other" onEdit={onEdit} />
        ) : isRichEdit ? (
          <TextEditor
            label={title}
            content={content}
            suggestions={suggestions}
            onEdit={onEdit}
            onPick={focusSuggestion}
          />
        ) : (
          <MarkdownPreview text={content} isStreaming={isWriting} />
        )}
      </div>
      {onEdit && suggestions.length > 0 && (
        <SuggestionList suggestions={suggestions} onApply={apply} onDismiss={dismiss} />
      )}
    </>
  );
}

function focusSuggestion(id: string): void {
  document.getElementById(`suggestion-${id}`)?.querySelector("button")?.focus();
}
