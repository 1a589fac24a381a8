/** Which language a program is in: as its title says, else as it looks. */
export type CodeLanguage = "python" | "javascript" | "typescript" | "other";

export const EXTENSIONS: Record<CodeLanguage, string> = {
  python: "py",
  javascript: "js",
  typescript: "ts",
  other: "txt",
};

const NAMES: [RegExp, CodeLanguage][] = [
  [/\.(py)\b|\bpython\b/i, "python"],
  [/\.(tsx?)\b|\btypescript\b/i, "typescript"],
  [/\.([cm]?jsx?)\b|\b(javascript|node\.?js)\b/i, "javascript"],
  [
    /\b(html|css|sql|rust|java|kotlin|swift|bash|shell|ruby|php|haskell|golang|c\+\+|c#)(?!\w)/i,
    "other",
  ],
];
const LOOKS: [RegExp, CodeLanguage][] = [
  [/^\s*<(!doctype|html|svg|\?xml)/i, "other"],
  [/^#!.*\b(bash|sh|zsh|perl|ruby)\b/, "other"],
  [/^\s*(interface \w+ {|type \w+ =|import type )|: (string|number|boolean)\b/m, "typescript"],
  [
    /^\s*(const|let|var|function|export|import .* from|async function)\b|=>|console\.log/m,
    "javascript",
  ],
  [/^\s*(#include|package \w|fn main|using namespace|select .* from)\b/im, "other"],
];

export function codeLanguage(title: string, code: string): CodeLanguage {
  const named = NAMES.find(([pattern]) => pattern.test(title));
  if (named) return named[1];
  return LOOKS.find(([pattern]) => pattern.test(code))?.[1] ?? "python";
}
