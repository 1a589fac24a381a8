export interface TextChange {
  from: number;
  to: number;
  insert: string;
}

/** The one replacement that makes `next` of `now`: carets outside of it stay where they are. */
export function textChange(now: string, next: string): TextChange {
  const shorter = Math.min(now.length, next.length);
  let start = 0;
  while (start < shorter && now[start] === next[start]) start += 1;
  let end = 0;
  while (end < shorter - start && now.at(-1 - end) === next.at(-1 - end)) end += 1;
  return { from: start, to: now.length - end, insert: next.slice(start, next.length - end) };
}
