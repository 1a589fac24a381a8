import { Button } from "@/components/ui/button";
import { ArrowRight, RotateCcw } from "lucide-react";

interface AnswerNoteProps {
  reason: string;
  hasAnswer: boolean;
  onRetry: () => void;
  /** Absent where the model cannot be asked to go on. */
  onContinue: (() => void) | undefined;
}

/** Says why an answer is not whole, and offers the way on. */
export function AnswerNote({ reason, hasAnswer, onRetry, onContinue }: AnswerNoteProps) {
  return (
    <div
      data-testid="answer-note"
      className="-mt-2 flex flex-wrap items-center gap-x-3 gap-y-2 border-s-2 ps-4 text-sm text-muted-foreground"
    >
      <span>{reason}</span>
      <span className="flex gap-2">
        <Button size="small" onClick={onRetry}>
          <RotateCcw className="size-3.5" />
          {hasAnswer ? "Regenerate" : "Try again"}
        </Button>
        {hasAnswer && onContinue && (
          <Button size="small" onClick={onContinue}>
            <ArrowRight className="size-3.5" />
            Continue
          </Button>
        )}
      </span>
    </div>
  );
}
