import type { Curves } from "@/lib/api/runs";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { spread } from "./curves";
import { formatBytes, formatNumber } from "./format";
import type { Panel } from "./panels";
import { useRunWords } from "./useRunWords";

const MOST_ROWS = 50;

/** What a chart shows, for who reads rather than sees it. */
export function ChartTable({ panel, curves }: { panel: Panel; curves: Curves }) {
  const { t } = useTranslation("runs");
  const { columnName } = useRunWords();
  const [isOpen, setOpen] = useState(false);
  const format = panel.unit === "bytes" ? formatBytes : formatNumber;
  return (
    <details className="mt-1 px-1 text-xs" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="w-fit cursor-pointer py-1 text-muted-foreground pointer-coarse:py-3">
        {t("asTable")}
      </summary>
      {isOpen && (
        <div
          className="max-h-56 overflow-auto"
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
          tabIndex={0}
          role="region"
          aria-label={t("asTable")}
        >
          <table className="w-full tabular-nums">
            <thead className="text-start text-muted-foreground">
              <tr>
                <th scope="col" className="py-1 text-start font-medium">
                  {t("step")}
                </th>
                {panel.columns.map((name) => (
                  <th key={name} scope="col" className="py-1 text-end font-medium">
                    {columnName(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {spread(curves.steps.length, MOST_ROWS).map((place) => (
                <tr key={curves.steps[place]} className="border-t">
                  <td className="py-1">{formatNumber(curves.steps[place])}</td>
                  {panel.columns.map((name) => (
                    <td key={name} className="py-1 text-end">
                      {format(curves.columns[name]?.mean[place])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
