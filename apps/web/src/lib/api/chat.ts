/** What can be done to one chat as a whole. */
import { type Visibility, fetchMessages } from "./messages";
import { send } from "./request";

export interface ChatChange {
  title?: string;
  visibility?: Visibility;
  /** Null takes it out of its folder. */
  folderId?: string | null;
  isArchived?: boolean;
}

export function changeChat(chatId: string, change: ChatChange): Promise<void> {
  const { isArchived: archived, ...rest } = change;
  return send("PATCH", `/api/chat/${chatId}`, {
    ...rest,
    ...(archived !== undefined && { archived }),
  });
}

/** `isLeaving` lets the request outlive the page. */
export function deleteChat(chatId: string, isLeaving = false): Promise<void> {
  return send("DELETE", `/api/chat?id=${encodeURIComponent(chatId)}`, undefined, isLeaving);
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
