import { cn } from "@/lib/classNames";
import { ChevronRight } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

const CLOSE_DELAY_MS = 1_000;

/** The model's thoughts: open while they form, folded away shortly after. */
export function Reasoning({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  const { t } = useTranslation("chat");
  const id = useId();
  const [isOpen, setIsOpen] = useState(isStreaming);
  const seconds = useDuration(isStreaming);
  const wasStreaming = useRef(isStreaming);

  useEffect(() => {
    if (!wasStreaming.current || isStreaming) return undefined;
    wasStreaming.current = false;
    const timer = setTimeout(() => setIsOpen(false), CLOSE_DELAY_MS);
    return () => clearTimeout(timer);
  }, [isStreaming]);

  function label(): string {
    if (isStreaming) return t("thinking");
    return seconds === undefined ? t("thoughts") : t("thoughtFor", { count: seconds });
  }

  return (
    <div data-testid="message-reasoning" className="mb-3 text-sm">
      <button
        type="button"
        data-testid="message-reasoning-toggle"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setIsOpen(!isOpen)}
        className="flex items-center gap-1 rounded-md py-1 text-muted-foreground transition-colors hover:text-foreground pointer-coarse:min-h-11"
      >
        <span className={cn(isStreaming && "text-shimmer")}>{label()}</span>
        <ChevronRight
          className={cn(
            "size-4 transition-transform rtl:rotate-180",
            isOpen && "rotate-90 rtl:rotate-90",
          )}
        />
      </button>
      {isOpen && (
        <p
          id={id}
          className="mt-1 border-s-2 ps-4 leading-relaxed whitespace-pre-wrap text-muted-foreground"
        >
          {text}
        </p>
      )}
    </div>
  );
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
