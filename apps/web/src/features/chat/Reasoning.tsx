import { cn } from "@/lib/classNames";
import { ChevronRight } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

const CLOSE_DELAY_MS = 1_000;

interface ReasoningProps {
  text: string;
  isStreaming: boolean;
  /** How long it took, where that is known. */
  seconds: number | undefined;
}

/** The model's thoughts: open while they form, folded away shortly after. */
export function Reasoning({ text, isStreaming, seconds }: ReasoningProps) {
  const { t } = useTranslation("chat");
  const id = useId();
  const [isOpen, setIsOpen] = useState(isStreaming);
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
          dir="auto"
          className="mt-1 border-s-2 ps-4 leading-relaxed whitespace-pre-wrap text-muted-foreground"
        >
          {text}
        </p>
      )}
    </div>
  );
}
