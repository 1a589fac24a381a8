import { Suspense, lazy } from "react";
import { loadMarkdown } from "./loadMarkdown";

const Markdown = lazy(loadMarkdown);

export function MessageText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
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
