import { Suspense, lazy } from "react";
import { loadMarkdown } from "./loadMarkdown";

const Markdown = lazy(loadMarkdown);

export function MessageText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <Suspense fallback={<p className="leading-[1.7] whitespace-pre-wrap">{text}</p>}>
      <Markdown text={text} isStreaming={isStreaming} />
    </Suspense>
  );
}
