import { cn } from "@/lib/classNames";
import { type ComponentProps, useState } from "react";
import { type Components, Streamdown } from "streamdown";
import { CodeBlock } from "./CodeBlock";

// Plain elements, set by prose.css; only what needs behaviour is a component.
const COMPONENTS = {
  ...Object.fromEntries(
    "h1 h2 h3 h4 h5 h6 p ul ol li blockquote hr strong code thead tbody tr th td sup sub section"
      .split(" ")
      .map((tag) => [tag, tag]),
  ),
  a: Link,
  img: ImageLink,
  pre: CodeBlock,
  table: ScrollingTable,
} as Components;

interface MarkdownProps {
  text: string;
  isStreaming: boolean;
}

/** Markdown that may still be growing. Raw HTML is sanitised; remote images become links. */
export default function Markdown({ text, isStreaming }: MarkdownProps) {
  // An answer that streamed in keeps its blocks when it ends: rebuilding them would flicker.
  const [mode] = useState<"streaming" | "static">(isStreaming ? "streaming" : "static");
  return (
    <Streamdown className="prose" components={COMPONENTS} isAnimating={isStreaming} mode={mode}>
      {text}
    </Streamdown>
  );
}

function Link({ href, children, className }: ComponentProps<"a">) {
  return (
    <a href={href} className={className} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  );
}

/** An image would tell its host who is reading; a link asks first. */
function ImageLink({ src, alt, className }: ComponentProps<"img">) {
  return (
    <Link href={typeof src === "string" ? src : undefined} className={cn("italic", className)}>
      {alt || "Image"}
    </Link>
  );
}

function ScrollingTable({ children }: ComponentProps<"table">) {
  return (
    <div className="my-5 scrollbar-quiet overflow-x-auto rounded-xl border">
      <table>{children}</table>
    </div>
  );
}
