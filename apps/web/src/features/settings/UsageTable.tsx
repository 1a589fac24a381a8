import { useTranslation } from "react-i18next";
import { formatCount, formatMicros } from "./format";
import type { ModelTotals } from "./usage";

export function UsageTable({ models }: { models: ModelTotals[] }) {
  const { t } = useTranslation("settings");
  return (
    <div className="scrollbar-quiet overflow-x-auto rounded-xl border">
      <table className="w-full text-start text-sm">
        <thead className="text-xs text-muted-foreground">
          <tr>
            {(["model", "requests", "tokens", "cost"] as const).map((column) => (
              <th key={column} scope="col" className="px-4 py-2.5 text-end first:text-start">
                {t(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {models.map(({ model, requests, tokens, micros }) => (
            <tr key={model} className="border-t">
              <th scope="row" className="px-4 py-2.5 text-start font-medium wrap-anywhere">
                {model}
              </th>
              <td className="px-4 py-2.5 text-end tabular-nums">{formatCount(requests)}</td>
              <td className="px-4 py-2.5 text-end tabular-nums">{formatCount(tokens)}</td>
              <td className="px-4 py-2.5 text-end tabular-nums">{formatMicros(micros)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
