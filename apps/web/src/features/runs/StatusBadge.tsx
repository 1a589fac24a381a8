import type { RunStatus } from "@/lib/api/runs";
import { cn } from "@/lib/classNames";
import { useTranslation } from "react-i18next";

const DOT_CLASSES: Record<RunStatus, string> = {
  running: "bg-accent animate-pulse",
  finished: "bg-emerald-600 dark:bg-emerald-400",
  failed: "bg-danger",
  stopped: "bg-muted-foreground",
  silent: "border-2 border-accent-text",
  broken: "border-2 border-danger",
};

export function StatusBadge({ status }: { status: RunStatus }) {
  const { t } = useTranslation("runs");
  return (
    <span data-testid="run-status" className="inline-flex items-center gap-2 whitespace-nowrap">
      <span aria-hidden="true" className={cn("size-2.5 rounded-full", DOT_CLASSES[status])} />
      {t(`status.${status}`)}
    </span>
  );
}
