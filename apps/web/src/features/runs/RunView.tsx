import { Skeleton } from "@/components/ui/skeleton";
import type { RunContents } from "@/lib/api/runs";
import { errorMessage } from "@/lib/errors";
import { Suspense, lazy, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { CheckpointList } from "./CheckpointList";
import { EventList } from "./EventList";
import { Samples } from "./Samples";
import { StatusBadge } from "./StatusBadge";
import { formatDuration, formatNumber, formatTime } from "./format";
import { marksOf } from "./marks";
import { useRun } from "./useRun";

const Charts = lazy(() => import("./Charts"));

interface RunViewProps {
  id: string;
  onChat: (model: string) => Promise<void>;
}

/** A run while it runs, and after. */
export function RunView({ id, onChat }: RunViewProps) {
  const { t } = useTranslation("runs");
  const { contents, curves, isLive } = useRun(id);
  const events = contents.data?.events;
  const marks = useMemo(
    () => (events && curves.data ? marksOf(events, curves.data) : []),
    [events, curves.data],
  );
  const error = contents.error ?? curves.error;
  if (error && !contents.data) return <p role="alert">{errorMessage(error)}</p>;
  if (!contents.data || !curves.data) return <Skeleton className="h-64 w-full" />;
  const { run, config, checkpoints, hasSamples, eventCount } = contents.data;
  const step = Math.max(curves.data.steps.at(-1) ?? 0, run.step);
  return (
    <div className="flex flex-col gap-6">
      <Facts contents={contents.data} step={step} isLive={isLive && run.status === "running"} />
      {run.error && (
        <p role="alert" className="text-sm text-danger">
          {run.error}
        </p>
      )}
      {curves.data.steps.length === 0 ? (
        <p className="text-muted-foreground">{t("noSteps")}</p>
      ) : (
        <Suspense fallback={<Skeleton className="h-64 w-full" />}>
          <Charts curves={curves.data} marks={marks} />
        </Suspense>
      )}
      <CheckpointList id={id} checkpoints={checkpoints} onChat={onChat} />
      <EventList events={contents.data.events} count={eventCount} />
      {hasSamples && <Samples id={id} step={step} />}
      <section aria-label={t("config")}>
        <details>
          <summary className="w-fit cursor-pointer py-2 text-base font-semibold pointer-coarse:py-3">
            {t("config")}
          </summary>
          <pre
            data-testid="run-config"
            // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
            tabIndex={0}
            className="max-h-96 overflow-auto rounded-xl border bg-surface p-4 font-mono text-xs"
          >
            {JSON.stringify(config, null, 2)}
          </pre>
        </details>
      </section>
    </div>
  );
}

interface FactsProps {
  contents: RunContents;
  step: number;
  isLive: boolean;
}

function Facts({ contents: { run }, step, isLive }: FactsProps) {
  const { t } = useTranslation("runs");
  const steps = run.steps ? formatNumber(run.steps) : "–";
  const facts = [
    [t("list.kind"), run.algorithm ? t("align", { algorithm: run.algorithm }) : t("train")],
    [t("list.progress"), t("stepOf", { step: formatNumber(step), steps })],
    [t("list.workers"), formatNumber(run.worldSize)],
    [t("list.started"), formatTime(run.startedAt)],
    [t("duration"), formatDuration(run.startedAt, run.updatedAt)],
  ];
  return (
    <dl className="flex flex-wrap gap-x-8 gap-y-3 text-sm tabular-nums">
      <div>
        <dt className="text-xs text-muted-foreground">{t("list.status")}</dt>
        <dd className="flex items-center gap-3">
          <StatusBadge status={run.status} />
          {isLive && <span className="text-xs text-accent-text">{t("live")}</span>}
        </dd>
      </div>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-muted-foreground">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
