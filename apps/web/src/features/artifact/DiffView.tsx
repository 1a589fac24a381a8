import { Button } from "@/components/ui/button";
import { type DiffSpan, type DocumentVersion, documentKey, fetchDiff } from "@/lib/api/documents";
import { cn } from "@/lib/classNames";
import { errorMessage } from "@/lib/errors";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { newSide, oldSide } from "./diff";

interface DiffViewProps {
  from: DocumentVersion;
  to: DocumentVersion | undefined;
  isCode: boolean;
}

/** What a version has changed in the one before: in one text, or side by side. */
export default function DiffView({ from, to, isCode }: DiffViewProps) {
  const { t } = useTranslation("artifact");
  const [isSplit, setIsSplit] = useState(false);
  const { data: spans, error } = useQuery({
    queryKey: [...documentKey(from.id), "diff", from.createdAt, to?.createdAt, to?.content],
    queryFn: ({ signal }) => fetchDiff(from, to ?? from, signal),
  });
  if (!spans) {
    return (
      <p role="status" className="p-6 text-muted-foreground">
        {error ? errorMessage(error) : t("loading")}
      </p>
    );
  }
  return (
    <div data-testid="artifact-diff" className="flex min-h-0 flex-1 flex-col">
      <div className="flex justify-end px-4 pt-2">
        <Button
          variant="ghost"
          size="small"
          aria-pressed={isSplit}
          onClick={() => setIsSplit(!isSplit)}
        >
          {t("versions.sideBySide")}
        </Button>
      </div>
      <div
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls by keyboard
        tabIndex={0}
        className={cn(
          "min-h-0 flex-1 scrollbar-quiet overflow-auto px-6 py-4 text-sm leading-relaxed whitespace-pre-wrap",
          isCode && "font-mono text-[13px]",
          isSplit && "grid grid-cols-2 gap-6",
        )}
      >
        {isSplit ? (
          <>
            <Spans spans={oldSide(spans)} />
            <Spans spans={newSide(spans)} />
          </>
        ) : (
          <Spans spans={spans} />
        )}
      </div>
    </div>
  );
}

function Spans({ spans }: { spans: DiffSpan[] }) {
  return (
    <div className="min-w-0 [overflow-wrap:anywhere]">
      {spans.map(({ kind, text }, index) => {
        if (kind === "equal") return <span key={index}>{text}</span>;
        if (kind === "insert") {
          return (
            <ins key={index} className="rounded-sm bg-inserted no-underline">
              {text}
            </ins>
          );
        }
        return (
          <del key={index} className="rounded-sm bg-deleted">
            {text}
          </del>
        );
      })}
    </div>
  );
}
