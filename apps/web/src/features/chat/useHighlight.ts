import { useEffect, useState } from "react";
import type { CodeLines } from "./highlighter";

/** While a block grows it is coloured anew after so many lines: each time costs all of it. */
const LINES_AT_ONCE = 12;

/** `code` in coloured tokens as far as they are known, and its rest without colour. */
export function useHighlight(code: string, language: string, isGrowing: boolean) {
  const [known, setKnown] = useState<{ code: string; lines: CodeLines }>();
  const settled = isGrowing ? wholeLines(code, LINES_AT_ONCE) : code;

  useEffect(() => {
    let isCurrent = true;
    async function highlight() {
      const { highlightCode } = await import("./highlighter");
      const lines = await highlightCode(settled, language);
      if (isCurrent && lines) setKnown({ code: settled, lines });
    }
    if (language && settled) void highlight();
    return () => {
      isCurrent = false;
    };
  }, [settled, language]);

  if (!known || !code.startsWith(known.code)) return { lines: [], rest: code };
  return { lines: known.lines, rest: code.slice(known.code.length).replace(/^\n/, "") };
}

/** The beginning of the text up to the last line whose number `multiple` divides. */
export function wholeLines(text: string, multiple: number): string {
  const lines = text.split("\n");
  const whole = Math.floor((lines.length - 1) / multiple) * multiple;
  return lines.slice(0, whole).join("\n");
}
