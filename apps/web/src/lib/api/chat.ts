/** What can be done to one chat as a whole. */
import { fetchMessages } from "./messages";
import { send } from "./request";

export function renameChat(chatId: string, title: string): Promise<void> {
  return send("PATCH", `/api/chat/${chatId}`, { title });
}

/** Removes all messages: those of the branch that is seen, then those of the branches behind it. */
export async function clearChat(chatId: string): Promise<void> {
  let first = (await fetchMessages(chatId)).messages[0];
  while (first) {
    const query = new URLSearchParams({ chatId });
    await send("POST", `/api/messages/${encodeURIComponent(first.id)}/truncate?${query}`);
    first = (await fetchMessages(chatId)).messages[0];
  }
}
