import type Markdown from "./Markdown";

let loaded: typeof Markdown | undefined;

/** The markdown renderer is a third of the page's code, and an empty chat has no use for it. */
export async function loadMarkdown(): Promise<{ default: typeof Markdown }> {
  const module = await import("./Markdown");
  loaded = module.default;
  return module;
}

/** Where it is there already, nothing needs to be shown in its place first. */
export function loadedMarkdown(): typeof Markdown | undefined {
  return loaded;
}
