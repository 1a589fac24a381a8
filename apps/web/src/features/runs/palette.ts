/** The colours of charts, in the page's theme. */
import type { Tone } from "./marks";

export interface Palette {
  ink: string;
  quiet: string;
  grid: string;
  series: string[];
  tones: Record<Tone, string>;
}

const LIGHT_SERIES = [
  "oklch(0.6 0.16 50)",
  "oklch(0.52 0.16 255)",
  "oklch(0.55 0.12 160)",
  "oklch(0.52 0.16 305)",
];
const DARK_SERIES = [
  "oklch(0.77 0.15 60)",
  "oklch(0.72 0.13 250)",
  "oklch(0.76 0.12 160)",
  "oklch(0.74 0.13 305)",
];

export function paletteOf(isDark: boolean): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const series = isDark ? DARK_SERIES : LIGHT_SERIES;
  const [warm = "", calm = "", good = ""] = series;
  return {
    ink: colour("foreground"),
    quiet: colour("muted-foreground"),
    grid: colour("border"),
    series,
    tones: { bad: colour("danger"), warm, good, calm },
  };
}

/** The same colour, let through. */
export function faint(colour: string, opacity: number): string {
  return colour.replace(")", ` / ${opacity})`);
}
