import { Suspense, lazy } from "react";

// The markdown renderer is half of the page's code, and an empty chat has no use for it.
const Markdown = lazy(() => import("./Markdown"));

export function MessageText({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <Suspense fallback={<p className="leading-[1.7] whitespace-pre-wrap">{text}</p>}>
      <Markdown text={text} isStreaming={isStreaming} />
    </Suspense>
  );
}
