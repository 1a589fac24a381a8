/** What can be changed about one chat. */
import type { Visibility } from "./messages";
import { send } from "./request";

export interface ChatChange {
  title?: string;
  visibility?: Visibility;
  archived?: boolean;
}

export function changeChat(chatId: string, change: ChatChange): Promise<void> {
  return send("PATCH", `/api/chat/${chatId}`, change);
}
