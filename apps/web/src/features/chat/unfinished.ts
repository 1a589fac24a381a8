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

/** Of an answer that was hung up on before the gateway told how it ended. */
export function asStopped(messages: ChatMessage[]): ChatMessage[] {
  const last = messages.at(-1);
  const status = last?.metadata?.status ?? "streaming";
  if (last?.role !== "assistant" || status !== "streaming") return messages;
  return [...messages.slice(0, -1), { ...last, metadata: { ...last.metadata, status: "stopped" } }];
}
