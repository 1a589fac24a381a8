type Markdown = typeof import("./Markdown").default;

let loaded: Markdown | undefined;

/** The markdown renderer is a third of the page's code, and an empty chat has no use for it. */
export async function loadMarkdown(): Promise<{ default: Markdown }> {
  const module = await import("./Markdown");
  loaded = module.default;
  return module;
}

/** Where it is there already, nothing needs to be shown in its place first. */
export function loadedMarkdown(): Markdown | undefined {
  return loaded;
}
