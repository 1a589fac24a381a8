import type { ChatRequestOptions } from "ai";
import { settingsOf } from "./chatSettings";
import type { Conversation } from "./conversation";

/** Who is to answer, and who may read a chat that begins with this question. */
export function requestOptions({ chat, modelId }: Conversation): ChatRequestOptions {
  const { visibility } = settingsOf(chat.id).get();
  return { body: { selectedChatModel: modelId.get(), selectedVisibilityType: visibility } };
}
