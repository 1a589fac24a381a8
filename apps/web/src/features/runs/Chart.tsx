import type { Curves } from "@/lib/api/runs";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { ChartTable } from "./ChartTable";
import { dataOf, optionsOf } from "./chartOptions";
import { formatBytes, formatNumber } from "./format";
import type { Mark } from "./marks";
import { paletteOf } from "./palette";
import type { Panel } from "./panels";
import { useIsDark } from "./useIsDark";
import { useRunWords } from "./useRunWords";

interface ChartProps {
  panel: Panel;
  curves: Curves;
  marks: Mark[];
  smoothing: number;
  isLogarithmic: boolean;
}

/** One panel's curves, with the values under the cursor that all charts share. */
export function Chart({ panel, curves, marks, smoothing, isLogarithmic }: ChartProps) {
  const { t } = useTranslation("runs");
  const { eventName, columnName } = useRunWords();
  const isDark = useIsDark();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const palette = useMemo(() => paletteOf(isDark), [isDark]);
  const data = useMemo(() => dataOf(panel, curves, smoothing), [panel, curves, smoothing]);
  const latest = useRef({ data, marks, eventName });
  const columns = panel.columns.join();

  useEffect(() => {
    latest.current = { data, marks, eventName };
    chart.current?.setData(data);
  }, [data, marks, eventName]);

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const drawing = {
      panel,
      palette,
      isLogarithmic,
      marks: () => latest.current.marks,
      wordsFor: (name: string) => latest.current.eventName(name),
      onCursor: setCursor,
    };
    const drawn = new uPlot(
      optionsOf(drawing, element.clientWidth || 300),
      latest.current.data,
      element,
    );
    chart.current = drawn;
    const observer = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: drawn.height }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      chart.current = null;
    };
    // oxlint-disable-next-line react/exhaustive-deps -- the panel is told by its id and columns
  }, [panel.id, columns, palette, isLogarithmic]);

  const shown = cursor ?? curves.steps.length - 1;
  const format = panel.unit === "bytes" ? formatBytes : formatNumber;
  const title = t(`panels.${panel.id}`);
  return (
    <section aria-label={title} className="min-w-0 rounded-2xl border bg-surface p-3">
      <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-1 pb-2 text-xs">
        <h2 className="text-sm font-semibold">{title}</h2>
        {panel.columns.map((name, index) => (
          <span key={name} className="inline-flex items-center gap-1.5 tabular-nums">
            <span
              aria-hidden="true"
              className="size-2 rounded-full"
              style={{ background: palette.series[index] }}
            />
            <span className="text-muted-foreground">{columnName(name)}</span>
            {format(curves.columns[name]?.mean[shown])}
          </span>
        ))}
      </div>
      <div ref={place} aria-hidden="true" data-testid={`chart-${panel.id}`} className="w-full" />
      <ChartTable panel={panel} curves={curves} />
    </section>
  );
}
