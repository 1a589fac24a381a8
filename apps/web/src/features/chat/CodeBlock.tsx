import { IconButton } from "@/components/ui/iconButton";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy } from "lucide-react";
import { type ComponentProps, isValidElement } from "react";
import { useHighlight } from "./useHighlight";

/** A fenced block: its language, a copy button, and colours as soon as the highlighter has loaded. */
export function CodeBlock({ children }: ComponentProps<"pre">) {
  const { code, language } = fence(children);
  const lines = useHighlight(code, language);
  const { isCopied, copy } = useCopy();

  return (
    <figure className="overflow-hidden rounded-xl border bg-surface">
      <figcaption className="flex h-10 items-center justify-between ps-4 pe-1 text-xs text-muted-foreground">
        <span className="font-mono">{language || "text"}</span>
        <IconButton
          size="iconSmall"
          label={isCopied ? "Copied" : "Copy code"}
          onClick={() => copy(code)}
        >
          {isCopied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
        </IconButton>
      </figcaption>
      <pre
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- long lines scroll by keyboard
        tabIndex={0}
        dir="ltr"
        className="scrollbar-quiet overflow-x-auto px-4 pb-4 font-mono text-[13px] leading-relaxed"
      >
        <code>
          {lines
            ? lines.map((tokens, line) => (
                <span key={line} className="code-line">
                  {tokens.map((token, index) => (
                    <span key={index} style={token.htmlStyle}>
                      {token.content}
                    </span>
                  ))}
                  {"\n"}
                </span>
              ))
            : code}
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
