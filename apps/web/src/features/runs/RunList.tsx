import { Skeleton } from "@/components/ui/skeleton";
import { type Run, fetchRuns } from "@/lib/api/runs";
import { errorMessage } from "@/lib/errors";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { StatusBadge } from "./StatusBadge";
import { formatNumber, formatTime } from "./format";

const REFRESH_MS = 3_000;
const COLUMNS = [
  "name",
  "kind",
  "status",
  "progress",
  "loss",
  "speed",
  "workers",
  "started",
] as const;

/** All runs: a table where there is room, else cards. */
export function RunList() {
  const { t } = useTranslation("runs");
  const { data, error } = useQuery({
    queryKey: ["runs"],
    queryFn: ({ signal }) => fetchRuns(signal),
    refetchInterval: REFRESH_MS,
  });
  if (error && !data) return <p role="alert">{errorMessage(error)}</p>;
  if (!data) return <Skeleton className="h-40 w-full" />;
  if (data.length === 0) return <p className="text-muted-foreground">{t("none")}</p>;
  return (
    <>
      <table className="hidden w-full text-sm lg:table">
        <thead>
          <tr className="text-xs text-muted-foreground">
            {COLUMNS.map((column) => (
              <th key={column} scope="col" className="px-3 py-2 text-start font-medium">
                {t(`list.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.map((run) => (
            <RunRow key={run.id} run={run} />
          ))}
        </tbody>
      </table>
      <ul className="flex flex-col gap-3 lg:hidden">
        {data.map((run) => (
          <RunCard key={run.id} run={run} />
        ))}
      </ul>
    </>
  );
}

function RunRow({ run }: { run: Run }) {
  return (
    <tr data-testid={`run-${run.id}`} className="border-t tabular-nums hover:bg-muted/60">
      <td className="px-3 py-2.5">
        <RunLink run={run} />
        {run.error && <p className="max-w-md text-xs text-danger">{run.error}</p>}
      </td>
      <td className="px-3">
        <Kind run={run} />
      </td>
      <td className="px-3">
        <StatusBadge status={run.status} />
      </td>
      <td className="px-3">
        <Progress run={run} />
      </td>
      <td className="px-3">
        <Figure run={run} />
      </td>
      <td className="px-3">{formatNumber(run.tokensPerSecond)}</td>
      <td className="px-3">{formatNumber(run.worldSize)}</td>
      <td className="px-3 whitespace-nowrap text-muted-foreground">{formatTime(run.startedAt)}</td>
    </tr>
  );
}

function RunCard({ run }: { run: Run }) {
  return (
    <li className="rounded-2xl border bg-surface p-4 text-sm tabular-nums">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <RunLink run={run} />
        <StatusBadge status={run.status} />
      </div>
      {run.error && <p className="mt-1 text-xs text-danger">{run.error}</p>}
      <div className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-muted-foreground">
        <Kind run={run} />
        <Progress run={run} />
        <Figure run={run} />
      </div>
    </li>
  );
}

function RunLink({ run }: { run: Run }) {
  return (
    <Link
      to="/runs/$runId"
      params={{ runId: run.id }}
      className="font-medium break-all underline-offset-4 hover:underline pointer-coarse:py-3"
    >
      {run.id}
    </Link>
  );
}

function Kind({ run }: { run: Run }) {
  const { t } = useTranslation("runs");
  return <span>{run.algorithm ? t("align", { algorithm: run.algorithm }) : t("train")}</span>;
}

function Progress({ run }: { run: Run }) {
  const { t } = useTranslation("runs");
  const step = formatNumber(run.step);
  return <span>{run.steps ? t("stepOf", { step, steps: formatNumber(run.steps) }) : step}</span>;
}

/** The reward of an alignment, else the loss. */
function Figure({ run }: { run: Run }) {
  const { t } = useTranslation("runs");
  return run.reward === null ? (
    <span>{t("lossOf", { loss: formatNumber(run.loss) })}</span>
  ) : (
    <span>{t("rewardOf", { reward: formatNumber(run.reward) })}</span>
  );
}
