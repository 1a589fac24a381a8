import type { ChatMessage } from "@/lib/api/messages";

export type UnfinishedReason =
  "notAnswered" | "noAnswer" | "stopped" | "interrupted" | "error" | "brokeOff";

/** Why the last turn is not a whole answer; undefined when it is one. */
export function unfinishedReason(
  last: ChatMessage,
  hasFailed: boolean,
): UnfinishedReason | undefined {
  if (last.role === "user") return hasFailed ? "notAnswered" : "noAnswer";
  const status = last.metadata?.status;
  if (status === "stopped" || status === "interrupted" || status === "error") return status;
  return hasFailed ? "brokeOff" : undefined;
}
