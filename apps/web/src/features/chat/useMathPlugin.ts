import type { MathPlugin } from "@streamdown/math";
import { useEffect, useState } from "react";

let loaded: MathPlugin | undefined;

/** The renderer of formulas, loaded with the first one that is seen. */
export function useMathPlugin(isNeeded: boolean): MathPlugin | undefined {
  const [plugin, setPlugin] = useState(loaded);
  useEffect(() => {
    if (!isNeeded || plugin) return undefined;
    let isWanted = true;
    void loadMath().then((math) => isWanted && setPlugin(math));
    return () => {
      isWanted = false;
    };
  }, [isNeeded, plugin]);
  return isNeeded ? plugin : undefined;
}

async function loadMath(): Promise<MathPlugin> {
  const [{ createMathPlugin }] = await Promise.all([
    import("@streamdown/math"),
    import("katex/dist/katex.min.css"),
  ]);
  loaded ??= createMathPlugin({ singleDollarTextMath: false, errorColor: "var(--danger)" });
  return loaded;
}
