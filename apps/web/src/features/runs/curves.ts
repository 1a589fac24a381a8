/** A run's curves as points that know their least and their most, growing while it runs. */
import { type Curves, MOST_POINTS, type Row } from "@/lib/api/runs";

type Values = (number | null)[];
type Column = Curves["columns"][string];

/** Rows later than the curves' last step, each as a point; with twice too many points, half as many. */
export function appended(curves: Curves, rows: Row[]): Curves {
  const later = rows.filter((row, place) => isLater(row, rows[place - 1], curves));
  if (later.length === 0) return curves;
  const width = curves.steps.length;
  const names = new Set([...Object.keys(curves.columns), ...later.flatMap(drawnNames)]);
  const columns: Record<string, Column> = {};
  for (const name of names) {
    const more = later.map((row) => finite(row[name]));
    const before = curves.columns[name] ?? emptyColumn(width);
    columns[name] = {
      mean: [...before.mean, ...more],
      least: [...before.least, ...more],
      most: [...before.most, ...more],
    };
  }
  const grown: Curves = {
    ...curves,
    steps: [...curves.steps, ...later.map((row) => Number(row["step"]))],
    times: [...curves.times, ...later.map((row) => finite(row["t"]))],
    counts: [...curves.counts, ...later.map(() => 1)],
    columns,
    rowCount: curves.rowCount + later.length,
  };
  return grown.steps.length > 2 * MOST_POINTS ? halved(grown) : grown;
}

/** Each two points as one that hides neither's extremes. */
export function halved(curves: Curves): Curves {
  const pairs = Array.from({ length: Math.ceil(curves.steps.length / 2) }, (_, place) =>
    [2 * place, 2 * place + 1].filter((index) => index < curves.steps.length),
  );
  return {
    ...curves,
    steps: pairs.map((pair) => curves.steps[lastOf(pair)] ?? 0),
    times: pairs.map((pair) => curves.times[lastOf(pair)] ?? null),
    counts: pairs.map((pair) => sum(pair.map((index) => curves.counts[index] ?? 0))),
    columns: Object.fromEntries(
      Object.entries(curves.columns).map(([name, column]) => [
        name,
        {
          mean: pairs.map((pair) => weightedMean(column.mean, curves.counts, pair)),
          least: pairs.map((pair) => extreme(Math.min, column.least, pair)),
          most: pairs.map((pair) => extreme(Math.max, column.most, pair)),
        },
      ]),
    ),
  };
}

/** The exponential moving average that keeps `weight` of what was, started without bias. */
export function smoothed(values: Values, weight: number): Values {
  if (weight === 0) return values;
  let average = 0;
  let total = 0;
  return values.map((value) => {
    if (value === null) return null;
    average = weight * average + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return average / total;
  });
}

/** The step that was finished last at a moment, in Unix seconds; undefined before the first. */
export function stepAt(curves: Curves, time: number): number | undefined {
  const place = curves.times.findLastIndex((finished) => finished !== null && finished <= time);
  return curves.steps[place];
}

/** At most so many places of a list, evenly spread, the first and the last among them. */
export function spread(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, place) => place);
  return Array.from({ length: most }, (_, place) =>
    Math.round((place * (length - 1)) / (most - 1)),
  );
}

const NOT_DRAWN = new Set(["step", "t", "sample_index_first", "sample_index_last"]);

function drawnNames(row: Row): string[] {
  return Object.keys(row).filter((name) => !NOT_DRAWN.has(name) && finite(row[name]) !== null);
}

function isLater(row: Row, before: Row | undefined, curves: Curves): boolean {
  const step = finite(row["step"]);
  const last = Math.max(curves.steps.at(-1) ?? -1, finite(before?.["step"]) ?? -1);
  return step !== null && step > last;
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function emptyColumn(width: number): Column {
  const nothing: Values = Array.from({ length: width }, () => null);
  return { mean: nothing, least: nothing, most: nothing };
}

function extreme(choose: (...values: number[]) => number, values: Values, pair: number[]) {
  const found = pair.map((index) => values[index] ?? null).filter((value) => value !== null);
  return found.length > 0 ? choose(...found) : null;
}

function weightedMean(values: Values, counts: number[], pair: number[]): number | null {
  const known = pair.filter((index) => (values[index] ?? null) !== null);
  const weights = known.map((index) => counts[index] ?? 0);
  const total = sum(weights);
  if (total === 0) return null;
  return sum(known.map((index, place) => (values[index] ?? 0) * (weights[place] ?? 0))) / total;
}

function lastOf(pair: number[]): number {
  return pair.at(-1) ?? 0;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
