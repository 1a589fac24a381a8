import { type ComponentProps, useMemo, useState } from "react";
import { type Components, Streamdown, defaultRehypePlugins } from "streamdown";
import { CodeBlock } from "./CodeBlock";
import { Table } from "./Table";
import { MarkdownImage, MarkdownLink } from "./MarkdownLink";
import { hasMath, withMathMarks } from "./mathText";
import { useMathPlugin } from "./useMathPlugin";

// Plain elements, set by prose.css; only what needs behaviour is a component.
const COMPONENTS = {
  ...Object.fromEntries(
    "h1 h2 h3 h4 h5 h6 p ul ol li blockquote hr strong code thead tbody tr th td sup sub section"
      .split(" ")
      .map((tag) => [tag, tag]),
  ),
  a: MarkdownLink,
  img: MarkdownImage,
  pre: CodeBlock,
  table: Table,
} as Components;

// Without the plugin that reads HTML: tags in an answer are text like any other.
const REHYPE_PLUGINS = [defaultRehypePlugins.sanitize].filter((plugin) => plugin !== undefined);
const keepUrl = (url: string): string => url; // links and images look at theirs themselves

interface MarkdownProps {
  text: string;
  isStreaming: boolean;
}

/** Markdown that may still be growing: blocks that are finished are not rendered again. */
export default function Markdown({ text, isStreaming }: MarkdownProps) {
  // An answer that streamed in keeps its blocks when it ends: rebuilding them would flicker.
  const [mode] = useState<"streaming" | "static">(isStreaming ? "streaming" : "static");
  const marked = useMemo(() => withMathMarks(text), [text]);
  const math = useMathPlugin(hasMath(marked));
  const plugins = useMemo<ComponentProps<typeof Streamdown>["plugins"]>(
    () => (math ? { math } : {}),
    [math],
  );
  return (
    <Streamdown
      className="prose"
      components={COMPONENTS}
      dir="auto"
      isAnimating={isStreaming}
      mode={mode}
      plugins={plugins}
      rehypePlugins={REHYPE_PLUGINS}
      urlTransform={keepUrl}
    >
      {marked}
    </Streamdown>
  );
}
