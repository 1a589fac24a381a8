import { javascript } from "@codemirror/lang-javascript";
import { python } from "@codemirror/lang-python";
import { Annotation, Compartment, EditorState, type Extension } from "@codemirror/state";
import { basicSetup } from "codemirror";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef, useState } from "react";
import type { CodeLanguage } from "./codeLanguage";
import { codeTheme } from "./codeTheme";
import { textChange } from "./textChange";

const LANGUAGES: Record<CodeLanguage, () => Extension> = {
  python,
  javascript: () => javascript({ jsx: true }),
  typescript: () => javascript({ jsx: true, typescript: true }),
  other: () => EditorView.lineWrapping,
};
/** Of changes that nobody has typed here. */
const fromOutside = Annotation.define<boolean>();

interface CodeEditorProps {
  content: string;
  label: string;
  language: CodeLanguage;
  onEdit: ((content: string) => void) | undefined;
}

/** CodeMirror. Tab leaves it, so that nobody is caught by the keyboard. */
export default function CodeEditor({ content, label, language, onEdit }: CodeEditorProps) {
  const parent = useRef<HTMLDivElement>(null);
  const edit = useRef(onEdit);
  const first = useRef({ content, label });
  const [parts] = useState(() => ({ language: new Compartment(), mode: new Compartment() }));
  const [view, setView] = useState<EditorView>();
  const isReadOnly = onEdit === undefined;

  useEffect(() => {
    edit.current = onEdit;
  }, [onEdit]);

  useEffect(() => {
    if (!parent.current) return undefined;
    const created = new EditorView({
      parent: parent.current,
      doc: first.current.content,
      extensions: [
        basicSetup,
        codeTheme,
        parts.language.of([]),
        parts.mode.of([]),
        EditorView.contentAttributes.of({
          "aria-label": first.current.label,
          "data-testid": "artifact-code",
        }),
        EditorView.updateListener.of((update) => {
          const isTyped = update.transactions.some(
            (change) => change.docChanged && !change.annotation(fromOutside),
          );
          if (isTyped) edit.current?.(update.state.doc.toString());
        }),
      ],
    });
    setView(created);
    return () => created.destroy();
  }, [parts]);

  useEffect(() => {
    view?.dispatch({ effects: parts.language.reconfigure(LANGUAGES[language]()) });
  }, [view, parts, language]);

  useEffect(() => {
    // Focusable all the same: one can select and search in what one cannot change.
    view?.dispatch({ effects: parts.mode.reconfigure(EditorState.readOnly.of(isReadOnly)) });
  }, [view, parts, isReadOnly]);

  useEffect(() => {
    if (!view) return;
    const now = view.state.doc.toString();
    if (now === content) return;
    view.dispatch({ changes: textChange(now, content), annotations: fromOutside.of(true) });
  }, [view, content]);

  return <div ref={parent} dir="ltr" className="h-full min-h-40 px-1 py-2" />;
}
