import type { SourceUrlUIPart } from "ai";

/** The pages that an answer rests on, each with the host that a click leads to. */
export function Sources({ sources }: { sources: SourceUrlUIPart[] }) {
  if (sources.length === 0) return null;
  return (
    <ul
      data-testid="message-sources"
      aria-label="Sources"
      className="mt-3 flex flex-wrap gap-2 text-sm"
    >
      {sources.map((source) => (
        <li key={source.sourceId} className="max-w-full">
          <a
            href={source.url}
            target="_blank"
            rel="noreferrer noopener"
            className="block truncate rounded-full border px-3 py-1 text-muted-foreground transition-colors hover:text-foreground"
          >
            {[source.title, hostOf(source.url)].filter(Boolean).join(" · ")}
          </a>
        </li>
      ))}
    </ul>
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
