import type { Suggestion } from "@/lib/api/documents";
import { MarkdownManager, Markdown } from "@tiptap/markdown";
import { EditorContent, useEditor } from "@tiptap/react";
import { StarterKit } from "@tiptap/starter-kit";
import { useEffect, useRef } from "react";
import { saysTheSame } from "./fidelity";
import { SuggestionMarks, markSuggestions } from "./suggestionMarks";

const EXTENSIONS = [StarterKit.configure({ link: { openOnClick: false } }), Markdown];

interface TextEditorProps {
  label: string;
  content: string;
  suggestions: Suggestion[];
  onEdit: (content: string) => void;
  /** A marked passage was clicked. */
  onPick: (suggestionId: string) => void;
}

export default function TextEditor(props: TextEditorProps) {
  const { label, content, suggestions, onEdit, onPick } = props;
  const known = useRef(content);
  const editor = useEditor({
    extensions: [...EXTENSIONS, SuggestionMarks.configure({ onPick })],
    content,
    contentType: "markdown",
    editorProps: {
      // ProseMirror would swallow Escape, which closes the panel.
      handleDOMEvents: { keydown: (_view, event) => event.key === "Escape" },
      attributes: {
        class: "prose outline-none min-h-40",
        role: "textbox",
        dir: "auto",
        "aria-multiline": "true",
        "aria-label": label,
        "data-testid": "artifact-text",
      },
    },
    onUpdate: ({ editor: edited }) => {
      known.current = edited.getMarkdown();
      onEdit(known.current);
    },
  });

  // What comes from elsewhere replaces the text, but not the caret of whoever is in it.
  useEffect(() => {
    if (content === known.current) return;
    known.current = content;
    const { from, to } = editor.state.selection;
    editor.commands.setContent(content, { contentType: "markdown", emitUpdate: false });
    const end = editor.state.doc.content.size;
    editor.commands.setTextSelection({ from: Math.min(from, end), to: Math.min(to, end) });
  }, [editor, content]);

  useEffect(() => markSuggestions(editor.view, suggestions), [editor, suggestions]);

  return <EditorContent editor={editor} className="mx-auto max-w-3xl px-6 py-5" />;
}

/** Whether the editor would give back all that the text says. */
export function survivesEditor(markdown: string): boolean {
  const manager = new MarkdownManager({ extensions: EXTENSIONS });
  return saysTheSame(markdown, manager.serialize(manager.parse(markdown)));
}
