import type { SourceDocumentUIPart, SourceUrlUIPart } from "ai";
import { useTranslation } from "react-i18next";
import { hostOf, safeLink } from "./links";

export type Source = SourceUrlUIPart | SourceDocumentUIPart;

const CHIP_CLASSES =
  "flex max-w-full items-center gap-2 rounded-full border py-1 ps-1.5 pe-3 text-muted-foreground pointer-coarse:py-2.5";

/** What an answer rests on, numbered; pages with the host that a click leads to. */
export function Sources({ sources }: { sources: Source[] }) {
  const { t } = useTranslation("chat");
  if (sources.length === 0) return null;
  return (
    <ol
      data-testid="message-sources"
      aria-label={t("sources")}
      className="mt-3 flex flex-wrap gap-2 text-sm"
    >
      {sources.map((source, index) => (
        <li key={source.sourceId} className="max-w-full">
          <SourceChip source={source} number={index + 1} />
        </li>
      ))}
    </ol>
  );
}

function SourceChip({ source, number }: { source: Source; number: number }) {
  const url = source.type === "source-url" ? safeLink(source.url) : undefined;
  const place = source.type === "source-url" ? hostOf(source.url) : source.filename;
  const label = [source.title, place].filter(Boolean).join(" · ");
  const content = (
    <>
      <span
        aria-hidden="true"
        className="flex size-5 shrink-0 items-center justify-center rounded-full bg-muted text-[11px] tabular-nums"
      >
        {number}
      </span>
      <span className="truncate">{label}</span>
    </>
  );
  if (!url) return <span className={CHIP_CLASSES}>{content}</span>;
  return (
    <a
      href={url}
      target="_blank"
      rel="noreferrer noopener"
      className={`${CHIP_CLASSES} transition-colors hover:text-foreground`}
    >
      {content}
    </a>
  );
}
