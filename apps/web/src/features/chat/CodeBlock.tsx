import { useCopy } from "@/lib/useCopy";
import { Check, Copy } from "lucide-react";
import { type ComponentProps, Suspense, isValidElement, lazy } from "react";
import { useTranslation } from "react-i18next";
import { useIsCodeFenceIncomplete } from "streamdown";
import { ActionButton } from "./ActionButton";
import { useHighlight } from "./useHighlight";

const Diagram = lazy(() => import("./Diagram"));

/** A fenced block: a diagram once all of it is there, or code. */
export function CodeBlock({ children }: ComponentProps<"pre">) {
  const { code, language } = fence(children);
  const isGrowing = useIsCodeFenceIncomplete();
  const source = <Code code={code} language={language} isGrowing={isGrowing} />;
  if (language !== "mermaid" || isGrowing) return source;
  return (
    <Suspense fallback={source}>
      <Diagram code={code} source={source} />
    </Suspense>
  );
}

interface CodeProps {
  code: string;
  language: string;
  isGrowing: boolean;
}

/** Its language, a copy button, and colours as soon as the highlighter has loaded. */
function Code({ code, language, isGrowing }: CodeProps) {
  const { t } = useTranslation("chat");
  const { lines, rest } = useHighlight(code, language, isGrowing);
  const { isCopied, copy } = useCopy();

  return (
    <figure className="overflow-hidden rounded-xl border bg-surface">
      <figcaption className="flex h-10 items-center justify-between ps-4 pe-1 text-xs text-muted-foreground pointer-coarse:h-12">
        <span className="font-mono">{language || "text"}</span>
        <ActionButton label={isCopied ? t("copied") : t("copyCode")} onClick={() => copy(code)}>
          {isCopied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
        </ActionButton>
      </figcaption>
      <pre
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- long lines scroll by keyboard
        tabIndex={0}
        dir="ltr"
        className="scrollbar-quiet overflow-x-auto px-4 pb-4 font-mono text-[13px] leading-relaxed"
      >
        <code>
          {lines.map((tokens, line) => (
            <span key={line} className="code-line">
              {tokens.map((token, index) => (
                <span key={index} style={token.htmlStyle}>
                  {token.content}
                </span>
              ))}
              {"\n"}
            </span>
          ))}
          {rest}
        </code>
      </pre>
    </figure>
  );
}

/** Reads the text and language out of the `<code class="language-x">` inside a `<pre>`. */
function fence(children: ComponentProps<"pre">["children"]): { code: string; language: string } {
  if (!isValidElement<ComponentProps<"code">>(children)) {
    return { code: String(children ?? ""), language: "" };
  }
  const { className = "", children: code } = children.props;
  return {
    code: String(code ?? "").trimEnd(),
    language: /language-([^\s]+)/.exec(className)?.[1] ?? "",
  };
}
