import { type Row, fetchSamples } from "@/lib/api/runs";
import { errorMessage } from "@/lib/errors";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { formatNumber } from "./format";

const COLUMNS = ["step", "prompt", "answer", "reward"] as const;

/** What an alignment asked, what its model answered, and what that was worth. */
export function Samples({ id, step }: { id: string; step: number }) {
  const { t } = useTranslation("runs");
  const { data, error } = useQuery({
    queryKey: ["samples", id, step],
    queryFn: ({ signal }) => fetchSamples(id, signal),
    placeholderData: (before) => before,
  });
  return (
    <section aria-labelledby="run-samples">
      <h2 id="run-samples" className="mb-2 font-semibold">
        {t("samples")}
      </h2>
      {error && <p role="alert">{errorMessage(error)}</p>}
      <div
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        tabIndex={0}
        role="region"
        aria-labelledby="run-samples"
        className="max-h-96 overflow-auto rounded-2xl border bg-surface"
      >
        <table data-testid="run-samples" className="w-full text-sm">
          <thead>
            <tr className="text-xs text-muted-foreground">
              {COLUMNS.map((column) => (
                <th key={column} scope="col" className="px-4 py-2 text-start font-medium">
                  {t(`sample.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(data ?? []).map((sample, place) => (
              // oxlint-disable-next-line react/no-array-index-key -- samples have no names
              <tr key={place} className="border-t align-top tabular-nums">
                {COLUMNS.map((column) => (
                  <td key={column} className="px-4 py-2 whitespace-pre-wrap">
                    {cellOf(sample, column)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function cellOf(sample: Row, column: string): string {
  const value = sample[column];
  if (typeof value === "number") return formatNumber(value);
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}
