import { cn } from "@/lib/classNames";
import { ChevronRight } from "lucide-react";
import { useEffect, useRef, useState } from "react";

const CLOSE_DELAY_MS = 1_000;

/** The model's thoughts: open while they form, folded away shortly after. */
export function Reasoning({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  const [isOpen, setIsOpen] = useState(isStreaming);
  const seconds = useDuration(isStreaming);
  const wasStreaming = useRef(isStreaming);

  useEffect(() => {
    if (!wasStreaming.current || isStreaming) return undefined;
    wasStreaming.current = false;
    const timer = setTimeout(() => setIsOpen(false), CLOSE_DELAY_MS);
    return () => clearTimeout(timer);
  }, [isStreaming]);

  return (
    <div data-testid="message-reasoning" className="mb-3 text-sm">
      <button
        type="button"
        data-testid="message-reasoning-toggle"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
        className="flex items-center gap-1 rounded-md py-1 text-muted-foreground transition-colors hover:text-foreground"
      >
        <span className={cn(isStreaming && "text-shimmer")}>{label(isStreaming, seconds)}</span>
        <ChevronRight className={cn("size-4 transition-transform", isOpen && "rotate-90")} />
      </button>
      {isOpen && (
        <p className="mt-1 border-s-2 ps-4 leading-relaxed whitespace-pre-wrap text-muted-foreground">
          {text}
        </p>
      )}
    </div>
  );
}

function label(isStreaming: boolean, seconds: number | undefined): string {
  if (isStreaming) return "Thinking…";
  if (seconds === undefined) return "Thoughts";
  return `Thought for ${seconds} second${seconds === 1 ? "" : "s"}`;
}

/** Whole seconds, at least one, that `isRunning` was true for; undefined if it never was. */
function useDuration(isRunning: boolean): number | undefined {
  const startedAt = useRef<number>(undefined);
  const [seconds, setSeconds] = useState<number>();
  useEffect(() => {
    if (isRunning) startedAt.current ??= performance.now();
    else if (startedAt.current !== undefined) {
      setSeconds(Math.max(1, Math.round((performance.now() - startedAt.current) / 1_000)));
    }
  }, [isRunning]);
  return seconds;
}
