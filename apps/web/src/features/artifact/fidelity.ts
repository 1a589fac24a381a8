const LIST_NUMBER = /^\s*\d+[.)]\s/gm;

/** Whether `copy` still says all that `original` says, in whatever way it is marked up. */
export function saysTheSame(original: string, copy: string): boolean {
  return words(original) === words(copy);
}

function words(markdown: string): string {
  return (markdown.replaceAll(LIST_NUMBER, "").match(/[\p{L}\p{N}]+/gu) ?? []).join(" ");
}
