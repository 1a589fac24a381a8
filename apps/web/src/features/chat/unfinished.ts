import type { ChatMessage } from "@/lib/api/messages";

/** Why the last turn is not a whole answer, in words for people; undefined when it is one. */
export function unfinishedReason(last: ChatMessage, hasFailed: boolean): string | undefined {
  if (last.role === "user") return hasFailed ? "This message was not answered." : "No answer yet.";
  switch (last.metadata?.status) {
    case "stopped":
      return "You stopped this answer.";
    case "interrupted":
      return "This answer was interrupted.";
    case "error":
      return "The model failed while answering.";
    default:
      return hasFailed ? "The answer broke off." : undefined;
  }
}
