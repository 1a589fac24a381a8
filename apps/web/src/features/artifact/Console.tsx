import { IconButton } from "@/components/ui/iconButton";
import { cn } from "@/lib/classNames";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Run } from "./pythonRun";

/** What a program has printed and drawn, as text and pictures, never as markup. */
export function Console({ run }: { run: Run }) {
  const { t } = useTranslation("artifact");
  const { isCopied, copy } = useCopy();
  const texts = run.printed.flatMap(({ stream, text }) => (stream === "figure" ? [] : [text]));
  const all = [...texts, run.error ?? ""].join("");
  return (
    <div className="relative flex min-h-0 flex-col bg-sidebar">
      <div
        role="log"
        aria-label={t("python.output")}
        data-testid="python-console"
        dir="ltr"
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls by keyboard
        tabIndex={0}
        className="scrollbar-quiet overflow-auto px-4 py-3 font-mono text-[13px] leading-relaxed whitespace-pre-wrap"
      >
        {run.printed.map(({ stream, text }, index) =>
          stream === "figure" ? (
            <img
              key={index}
              src={`data:image/png;base64,${text}`}
              alt={t("python.figure")}
              className="my-2 max-w-full rounded-lg bg-white"
            />
          ) : (
            <span key={index} className={cn(stream === "stderr" && "text-accent-text")}>
              {text}
            </span>
          ),
        )}
        {run.error && <span className="text-danger">{run.error}</span>}
      </div>
      <IconButton
        size="iconSmall"
        label={isCopied ? t("copied") : t("python.copy")}
        className="absolute end-2 top-1"
        onClick={() => void copy(all)}
      >
        {isCopied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
      </IconButton>
    </div>
  );
}
