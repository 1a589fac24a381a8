import { cn } from "@/lib/classNames";
import type { ComponentProps } from "react";
import { useTranslation } from "react-i18next";
import { type Components, Streamdown } from "streamdown";

const COMPONENTS = {
  ...Object.fromEntries(
    "h1 h2 h3 h4 h5 h6 p ul ol li blockquote hr strong code pre table thead tbody tr th td"
      .split(" ")
      .map((tag) => [tag, tag]),
  ),
  a: Link,
  img: ImageLink,
} as Components;

/** A text to read: one that is being written, an older version, another's. Images are links. */
export function MarkdownPreview({ text, isStreaming }: { text: string; isStreaming: boolean }) {
  return (
    <div data-testid="artifact-text" className="mx-auto max-w-3xl px-6 py-5">
      <Streamdown
        className="prose"
        dir="auto"
        components={COMPONENTS}
        isAnimating={isStreaming}
        mode={isStreaming ? "streaming" : "static"}
      >
        {text}
      </Streamdown>
    </div>
  );
}

function ImageLink({ src, alt, className }: ComponentProps<"img">) {
  const { t } = useTranslation("artifact");
  return (
    <Link href={typeof src === "string" ? src : undefined} className={cn("italic", className)}>
      {alt || t("image.nameless")}
    </Link>
  );
}

function Link({ href, children, className }: ComponentProps<"a">) {
  return (
    <a href={href} className={className} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  );
}
