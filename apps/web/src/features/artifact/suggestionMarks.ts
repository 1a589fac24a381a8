/** Passages that a model would change, marked in the text. */
import type { Suggestion } from "@/lib/api/documents";
import { Extension } from "@tiptap/react";
import type { Node } from "@tiptap/pm/model";
import { Plugin, PluginKey } from "@tiptap/pm/state";
import { Decoration, DecorationSet, type EditorView } from "@tiptap/pm/view";
import { plain } from "./plain";

type Passage = Pick<Suggestion, "id" | "originalText">;

const key = new PluginKey<DecorationSet>("suggestions");

export const SuggestionMarks = Extension.create<{ onPick: (id: string) => void }>({
  name: "suggestionMarks",
  addOptions: () => ({ onPick: () => undefined }),
  addProseMirrorPlugins() {
    const { onPick } = this.options;
    return [
      new Plugin<DecorationSet>({
        key,
        state: {
          init: () => DecorationSet.empty,
          apply: (change, marks) => {
            const passages = change.getMeta(key) as Passage[] | undefined;
            return passages ? marksOf(change.doc, passages) : marks.map(change.mapping, change.doc);
          },
        },
        props: {
          decorations: (state) => key.getState(state),
          handleClick: (view, position) => {
            const [mark] = key.getState(view.state)?.find(position, position) ?? [];
            const id: unknown = mark?.spec["id"];
            if (typeof id === "string") onPick(id);
            return false;
          },
        },
      }),
    ];
  },
});

export function markSuggestions(view: EditorView, suggestions: Passage[]): void {
  view.dispatch(view.state.tr.setMeta(key, suggestions).setMeta("addToHistory", false));
}

function marksOf(doc: Node, passages: Passage[]): DecorationSet {
  const marks: Decoration[] = [];
  doc.descendants((node, position) => {
    if (!node.isTextblock) return true;
    const text = node.textBetween(0, node.content.size, undefined, "\n");
    for (const { id, originalText } of passages) {
      const wanted = plain(originalText);
      const start = wanted ? text.indexOf(wanted) : -1;
      if (start < 0) continue;
      const from = position + 1 + start;
      marks.push(
        Decoration.inline(from, from + wanted.length, { class: "suggested-change" }, { id }),
      );
    }
    return false;
  });
  return DecorationSet.create(doc, marks);
}
