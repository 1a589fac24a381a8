/** Reading more of a stored conversation: what is earlier, newer, or on another branch. */
import { type ChatMessage, chooseBranch, fetchMessages, isAnswerDue } from "@/lib/api/messages";
import type { Conversation } from "./conversation";
import { mergeStored } from "./merge";

/** As many as a screen or two hold: a chat opens with them. */
export const PAGE_SIZE = 20;
const EARLIER_PAGE_SIZE = 60;

/** Prepends the messages before the first one on screen. */
export async function loadEarlier(conversation: Conversation): Promise<void> {
  const { chat, earlier } = conversation;
  const before = chat.messages[0]?.id;
  if (!before || earlier.get() !== "some") return;
  earlier.set("loading");
  try {
    const page = await fetchMessages(chat.id, { limit: EARLIER_PAGE_SIZE, before });
    // Another branch may have been chosen meanwhile.
    if (chat.messages[0]?.id === before) chat.messages = [...page.messages, ...chat.messages];
    earlier.set(page.hasMore ? "some" : "none");
  } catch (error) {
    earlier.set("some");
    throw error;
  }
}

/** Shows what another tab or device has done, and follows the answer that is being written there. */
export async function catchUp(conversation: Conversation): Promise<void> {
  const { chat } = conversation;
  const shown = chat.messages;
  if (!isQuiet(conversation) || shown.length === 0) return;
  const page = await fetchMessages(chat.id, { limit: PAGE_SIZE });
  if (!isQuiet(conversation) || chat.messages !== shown) return;
  show(conversation, mergeStored(shown, page.messages), page.hasMore);
}

/** Makes the branch through a message the one that is seen. */
export async function switchBranch(conversation: Conversation, messageId: string): Promise<void> {
  const { chat } = conversation;
  await chooseBranch(chat.id, messageId);
  const page = await fetchMessages(chat.id, { limit: Math.max(PAGE_SIZE, chat.messages.length) });
  show(conversation, mergeStored(chat.messages, page.messages), page.hasMore);
}

function show(conversation: Conversation, messages: ChatMessage[], hasMore: boolean): void {
  const { chat, earlier } = conversation;
  const first = chat.messages[0]?.id;
  if (messages !== chat.messages) chat.messages = messages;
  if (messages[0]?.id !== first) earlier.set(hasMore ? "some" : "none");
  if (isAnswerDue(messages)) void chat.resumeStream();
}

/** Nothing is being written here, and no question waits to be sent again. */
function isQuiet({ chat }: Conversation): boolean {
  return chat.status === "ready";
}
