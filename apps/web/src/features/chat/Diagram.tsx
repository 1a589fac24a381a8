import { createMermaidPlugin } from "@streamdown/mermaid";
import { type ReactNode, useEffect, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { diagramImage } from "./diagramImage";

interface DiagramProps {
  code: string;
  /** Shown until there is a diagram, and where the code makes none. */
  source: ReactNode;
}

/**
 * A mermaid diagram, drawn in strict mode and shown as an image: nothing in it can run, load or
 * reach the page.
 */
export default function Diagram({ code, source }: DiagramProps) {
  const { t } = useTranslation("chat");
  const id = useId().replace(/\W/g, "");
  const isDark = useIsDark();
  const [image, setImage] = useState<{ src: string; width: number; height: number }>();

  useEffect(() => {
    let isWanted = true;
    const mermaid = createMermaidPlugin().getMermaid({
      theme: isDark ? "dark" : "neutral",
      securityLevel: "strict",
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      fontFamily: "sans-serif",
    });
    void mermaid
      .render(`diagram-${id}`, code)
      .then(({ svg }) => isWanted && setImage(diagramImage(svg)))
      .catch(() => undefined); // the source is shown, which is what the model wrote
    return () => {
      isWanted = false;
    };
  }, [code, id, isDark]);

  if (!image) return source;
  return (
    <figure data-testid="diagram" className="overflow-x-auto rounded-xl border p-4">
      <img {...image} alt={t("diagram", { code })} className="mx-auto h-auto max-w-full" />
    </figure>
  );
}

function useIsDark(): boolean {
  const [isDark, setIsDark] = useState(readIsDark);
  useEffect(() => {
    const observer = new MutationObserver(() => setIsDark(readIsDark()));
    observer.observe(document.documentElement, { attributeFilter: ["class"] });
    return () => observer.disconnect();
  }, []);
  return isDark;
}

function readIsDark(): boolean {
  return document.documentElement.classList.contains("dark");
}
