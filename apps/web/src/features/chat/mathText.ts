/** Formulas as models write them, in the one notation that the markdown renderer takes: `$$`. */

const CODE = /(```[\s\S]*?(?:```|$)|~~~[\s\S]*?(?:~~~|$)|`[^`\n]*`)/;
const DISPLAY_LINES = /^([ \t]*)\\\[([\s\S]+?)\\\][ \t]*$/gm;
const BRACKETS = /\\\[(.+?)\\\]|\\\((.+?)\\\)/g;
/** As in pandoc: no space inside the dollars, no digit behind them. So `$5 and $6` is money. */
const DOLLARS = /(?<![\\$\w])\$(?=[^\s$])([^$\n]*?[^\s$\\]|[^\s$\\])\$(?![\d$\w])/g;

export function withMathMarks(text: string): string {
  if (!/[\\$]/.test(text)) return text;
  return text
    .split(CODE)
    .map((piece, index) => (index % 2 === 1 ? piece : markMath(piece)))
    .join("");
}

/** Whether there is a formula in text that has its marks. */
export function hasMath(text: string): boolean {
  return text.includes("$$") || text.includes("```math");
}

function markMath(text: string): string {
  return text
    .replace(DISPLAY_LINES, (_, indent: string, formula: string) =>
      [`$$`, ...formula.trim().split("\n"), `$$`].map((line) => indent + line.trim()).join("\n"),
    )
    .replace(BRACKETS, (_, display?: string, inline?: string) => `$$${display ?? inline}$$`)
    .replace(DOLLARS, (_, formula: string) => `$$${formula}$$`);
}
