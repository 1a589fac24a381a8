import { Suspense, lazy, useState } from "react";
import { loadMarkdown, loadedMarkdown } from "./loadMarkdown";

const LazyMarkdown = lazy(loadMarkdown);

export function MessageText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  const [Markdown] = useState(() => loadedMarkdown() ?? LazyMarkdown);
  return (
    <Suspense fallback={<Plain text={text} />}>
      <Markdown text={text} isStreaming={isStreaming} />
    </Suspense>
  );
}

function Plain({ text }: { text: string }) {
  return (
    <p dir="auto" className="leading-[1.7] whitespace-pre-wrap">
      {text}
    </p>
  );
}
