import CodeEditor from "./CodeEditor";
import { codeLanguage } from "./codeLanguage";
import type { DocumentBodyProps } from "./documentBodyProps";
import { PythonRunner } from "./PythonRunner";
import { SuggestionList } from "./SuggestionList";
import { useSuggestions } from "./useSuggestions";

/** A program. Python runs, in a frame apart; nothing else is ever run. */
export default function CodeDocument(props: DocumentBodyProps) {
  const { documentId, title, content, isWriting, isOwn, onEdit, onError } = props;
  const language = codeLanguage(title, content);
  const { suggestions, apply, dismiss } = useSuggestions(documentId, isOwn, content, onEdit);
  return (
    <>
      <div className="min-h-0 flex-1 scrollbar-quiet overflow-auto">
        <CodeEditor content={content} label={title} language={language} onEdit={onEdit} />
      </div>
      {onEdit && suggestions.length > 0 && (
        <SuggestionList suggestions={suggestions} onApply={apply} onDismiss={dismiss} />
      )}
      {language === "python" && !isWriting && <PythonRunner code={content} onError={onError} />}
    </>
  );
}
