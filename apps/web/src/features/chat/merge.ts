import type { ChatMessage } from "@/lib/api/messages";

/**
 * What is on screen, brought up to the newest messages as the gateway has them.
 *
 * Messages that are the same stay the same objects, so that nothing of them is drawn again; earlier
 * ones than `stored` stay where both have a message in common.
 */
export function mergeStored(shown: ChatMessage[], stored: ChatMessage[]): ChatMessage[] {
  const start = shown.findIndex((message) => message.id === stored[0]?.id);
  const known = new Map(shown.map((message) => [message.id, message]));
  const newest = stored.map((message) => {
    const before = known.get(message.id);
    return before && isSame(before, message) ? before : message;
  });
  const merged = start === -1 ? newest : [...shown.slice(0, start), ...newest];
  const isUnchanged =
    merged.length === shown.length && merged.every((message, place) => message === shown[place]);
  return isUnchanged ? shown : merged;
}

function isSame(one: ChatMessage, other: ChatMessage): boolean {
  return canonical(one) === canonical(other);
}

/** What is seen of a message; streaming leaves marks (`state`) that the stored form has not. */
function canonical({ role, parts, metadata }: ChatMessage): string {
  const { status, siblings } = metadata ?? {};
  const seen = parts.filter((part) => part.type !== "step-start");
  return JSON.stringify([role, status ?? "complete", siblings, seen], (key, value: unknown) =>
    key === "state" && (value === "done" || value === "streaming") ? undefined : value,
  );
}
