const MAX_CHARS = 20_000;

/** A value as a program sees it. */
export function JsonBlock({ label, value }: { label: string; value: unknown }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 2);
  return (
    <figure className="min-w-0">
      <figcaption className="mb-1 text-xs text-muted-foreground">{label}</figcaption>
      <pre
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls by keyboard
        tabIndex={0}
        dir="ltr"
        aria-label={label}
        className="max-h-72 scrollbar-quiet overflow-auto rounded-lg bg-muted px-3 py-2 font-mono text-xs leading-relaxed"
      >
        {text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text}
      </pre>
    </figure>
  );
}
