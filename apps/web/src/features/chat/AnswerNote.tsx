import { Button } from "@/components/ui/button";
import { ArrowRight, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { UnfinishedReason } from "./unfinished";

interface AnswerNoteProps {
  reason: UnfinishedReason;
  hasAnswer: boolean;
  onRetry: () => void;
  /** Absent where the model cannot be asked to go on. */
  onContinue: (() => void) | undefined;
}

/** Says why an answer is not whole, and offers the way on. */
export function AnswerNote({ reason, hasAnswer, onRetry, onContinue }: AnswerNoteProps) {
  const { t } = useTranslation(["chat", "common"]);
  return (
    <div
      data-testid="answer-note"
      className="-mt-2 flex flex-wrap items-center gap-x-3 gap-y-2 border-s-2 ps-4 text-sm text-muted-foreground"
    >
      <span>{t(`unfinished.${reason}`)}</span>
      <span className="flex gap-2">
        <Button size="small" className="pointer-coarse:h-11" onClick={onRetry}>
          <RotateCcw className="size-3.5" />
          {hasAnswer ? t("regenerateShort") : t("common:tryAgain")}
        </Button>
        {hasAnswer && onContinue && (
          <Button size="small" className="pointer-coarse:h-11" onClick={onContinue}>
            <ArrowRight className="size-3.5" />
            {t("continue")}
          </Button>
        )}
      </span>
    </div>
  );
}
