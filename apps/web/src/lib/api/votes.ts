/** Thumbs up or down on answers. */
import * as z from "zod/mini";
import { getJson, send } from "./request";

const votesSchema = z.array(z.object({ messageId: z.string(), isUpvoted: z.boolean() }));

/** Of a chat's answers that have one, whether it is an upvote, by the answer's id. */
export type Votes = Record<string, boolean>;

export async function fetchVotes(chatId: string, signal?: AbortSignal): Promise<Votes> {
  const query = new URLSearchParams({ chatId });
  const votes = await getJson(`/api/vote?${query}`, votesSchema, signal);
  return Object.fromEntries(votes.map((vote) => [vote.messageId, vote.isUpvoted]));
}

export function castVote(chatId: string, messageId: string, isUpvoted: boolean): Promise<void> {
  return send("PATCH", "/api/vote", { chatId, messageId, type: isUpvoted ? "up" : "down" });
}
