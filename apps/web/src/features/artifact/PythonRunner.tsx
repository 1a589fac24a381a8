import { Button } from "@/components/ui/button";
import { Play, Square } from "lucide-react";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Console } from "./Console";
import { isGoingOn } from "./pythonRun";
import { RUN_LIMIT_S, usePython } from "./usePython";

interface PythonRunnerProps {
  code: string;
  onError: (error: string | undefined) => void;
}

/** Runs the program in a frame of its own origin, which has no cookies and reaches nothing. */
export function PythonRunner({ code, onError }: PythonRunnerProps) {
  const { t } = useTranslation("artifact");
  const frame = useRef<HTMLIFrameElement>(null);
  const { run, frameNumber, start, stop } = usePython(frame);
  const isRunning = isGoingOn(run);

  useEffect(() => onError(run.error), [run.error, onError]);

  return (
    <section aria-label={t("python.title")} className="flex max-h-1/2 shrink-0 flex-col border-t">
      <div className="flex items-center gap-3 px-3 py-2">
        <Button
          size="small"
          className="pointer-coarse:h-11"
          onClick={() => (isRunning ? stop() : start(code))}
        >
          {isRunning ? <Square className="size-3.5 fill-current" /> : <Play className="size-3.5" />}
          {isRunning ? t("python.stop") : t("python.run")}
        </Button>
        <p role="status" data-testid="python-status" className="text-xs text-muted-foreground">
          {t(`python.phase.${run.phase}`, {
            seconds: ((run.durationMs ?? 0) / 1_000).toFixed(2),
            limit: RUN_LIMIT_S,
          })}
        </p>
      </div>
      {(run.printed.length > 0 || run.error) && <Console run={run} />}
      {frameNumber > 0 && (
        <iframe
          key={frameNumber}
          ref={frame}
          title={t("python.title")}
          src="/sandbox/frame.html"
          sandbox="allow-scripts"
          aria-hidden="true"
          tabIndex={-1}
          className="hidden"
        />
      )}
    </section>
  );
}
