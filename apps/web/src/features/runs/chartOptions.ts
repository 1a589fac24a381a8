/** From a panel to what uPlot draws. */
import type { Curves } from "@/lib/api/runs";
import uPlot from "uplot";
import { smoothed } from "./curves";
import { formatBytes, formatNumber } from "./format";
import type { Mark } from "./marks";
import { type Palette, faint } from "./palette";
import type { Panel } from "./panels";

const CHART_HEIGHT = 190;
const FONT = "11px 'Inter Variable', system-ui, sans-serif";

export interface Drawing {
  panel: Panel;
  palette: Palette;
  isLogarithmic: boolean;
  /** Read at each draw, so that a new mark needs no new chart. */
  marks: () => Mark[];
  wordsFor: (name: string) => string;
  onCursor: (place: number | null) => void;
}

/** The steps; then of each column the least, the most, the mean and the smoothed mean. */
export function dataOf(panel: Panel, curves: Curves, smoothing: number): uPlot.AlignedData {
  const lines = panel.columns.flatMap((name) => {
    const column = curves.columns[name] ?? { mean: [], least: [], most: [] };
    const weight = panel.isStepped ? 0 : smoothing;
    return [column.least, column.most, column.mean, smoothed(column.mean, weight)];
  });
  return [curves.steps, ...lines] as uPlot.AlignedData;
}

export function optionsOf(drawing: Drawing, width: number): uPlot.Options {
  const { panel, palette, isLogarithmic } = drawing;
  const format = panel.unit === "bytes" ? formatBytes : formatNumber;
  const axis = { stroke: palette.quiet, grid: { stroke: palette.grid, width: 1 }, font: FONT };
  return {
    width,
    height: CHART_HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "run" }, y: false, points: { size: 7 }, drag: { x: true, y: false } },
    scales: {
      x: { time: false },
      y: { distr: isLogarithmic ? 3 : 1 },
    },
    axes: [
      { ...axis, size: 30, ticks: { show: false } },
      {
        ...axis,
        size: 68,
        ticks: { show: false },
        values: (_, splits) => splits.map((split) => (split === null ? "" : format(split))),
      },
    ],
    series: [{}, ...panel.columns.flatMap((_, place) => seriesOf(drawing, place))],
    bands: panel.columns.map((_, place) => ({
      series: [4 * place + 2, 4 * place + 1],
      fill: faint(palette.series[place] ?? palette.ink, 0.16),
    })),
    hooks: {
      setCursor: [(chart) => drawing.onCursor(chart.cursor.idx ?? null)],
      draw: [(chart) => drawMarks(chart, drawing)],
    },
  };
}

function seriesOf({ panel, palette }: Drawing, place: number): uPlot.Series[] {
  const stroke = palette.series[place] ?? palette.ink;
  const edge: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
  const paths = panel.isStepped ? uPlot.paths.stepped?.({ align: 1 }) : uPlot.paths.linear?.();
  const line = { paths, spanGaps: true } as uPlot.Series;
  return [
    edge,
    edge,
    { ...line, stroke: faint(stroke, 0.3), width: 1, points: { show: false } },
    { ...line, stroke, width: 1.8 },
  ];
}

function drawMarks(chart: uPlot, { marks, palette, wordsFor }: Drawing): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${10 * devicePixelRatio}px 'Inter Variable', system-ui, sans-serif`;
  ctx.textBaseline = "top";
  ctx.textAlign = "left";
  let freeFrom = Number.NEGATIVE_INFINITY;
  for (const mark of marks()) {
    const x = Math.round(chart.valToPos(mark.position, "x", true));
    const words = wordsFor(mark.name);
    ctx.strokeStyle = palette.tones[mark.tone];
    ctx.fillStyle = palette.tones[mark.tone];
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // A label that would lie over the one before is left to the list of events.
    if (x >= freeFrom) {
      ctx.fillText(words, x + 4 * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
      freeFrom = x + ctx.measureText(words).width + 10 * devicePixelRatio;
    }
  }
  ctx.restore();
}
