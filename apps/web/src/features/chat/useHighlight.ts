import { useEffect, useState } from "react";
import type { CodeLines } from "./highlighter";

/** `code` in coloured tokens; undefined until they are known, or when the language is not. */
export function useHighlight(code: string, language: string): CodeLines | undefined {
  const [highlighted, setHighlighted] = useState<{ code: string; lines: CodeLines }>();

  useEffect(() => {
    let isCurrent = true;
    async function highlight() {
      const { highlightCode } = await import("./highlighter");
      const lines = await highlightCode(code, language);
      if (isCurrent && lines) setHighlighted({ code, lines });
    }
    if (language) void highlight();
    return () => {
      isCurrent = false;
    };
  }, [code, language]);

  // While a block grows, its older colours would lack the newest characters.
  return highlighted?.code === code ? highlighted.lines : undefined;
}
