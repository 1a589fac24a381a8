import type { Curves } from "@/lib/api/runs";
import { createPreference } from "@/lib/preference";
import { useSignal } from "@/lib/signal";
import { useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import * as z from "zod/mini";
import { Chart } from "./Chart";
import type { Mark } from "./marks";
import { panelsOf } from "./panels";

const smoothingChoice = createPreference(
  "run-smoothing",
  z.number().check(z.minimum(0), z.maximum(0.99)),
  0.6,
);

/** All curves of a run, under one cursor. */
export default function Charts({ curves, marks }: { curves: Curves; marks: Mark[] }) {
  const { t } = useTranslation("runs");
  const smoothing = useSignal(smoothingChoice);
  const [isLogarithmic, setLogarithmic] = useState(false);
  const names = Object.keys(curves.columns).toSorted().join();
  // oxlint-disable-next-line react/exhaustive-deps -- only which columns there are decides
  const panels = useMemo(() => panelsOf(curves), [names]);
  const sliderId = useId();
  return (
    <section aria-label={t("curves")}>
      <div className="mb-3 flex flex-wrap items-center gap-x-6 gap-y-2 text-sm">
        <label htmlFor={sliderId} className="flex items-center gap-3 pointer-coarse:min-h-11">
          {t("smoothing")}
          <input
            id={sliderId}
            type="range"
            min={0}
            max={0.99}
            step={0.01}
            value={smoothing}
            onChange={(event) => smoothingChoice.set(Number(event.currentTarget.value))}
            className="w-32 accent-accent"
          />
        </label>
        <label className="flex items-center gap-2 pointer-coarse:min-h-11">
          <input
            type="checkbox"
            checked={isLogarithmic}
            onChange={(event) => setLogarithmic(event.currentTarget.checked)}
            className="size-4 accent-accent"
          />
          {t("logarithmic")}
        </label>
      </div>
      <div className="grid gap-4 xl:grid-cols-2">
        {panels.map((panel) => (
          <Chart
            key={panel.id}
            panel={panel}
            curves={curves}
            marks={marks}
            smoothing={smoothing}
            isLogarithmic={isLogarithmic && panel.id === "loss"}
          />
        ))}
      </div>
    </section>
  );
}
