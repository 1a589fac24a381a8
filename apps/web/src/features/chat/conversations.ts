/**
 * The conversations that are on screen, receiving an answer, or holding a message that failed.
 *
 * They live outside React: leaving a chat must not cut its answer, and coming back must find it.
 */
import { noteAnswering, noteLeft, noteOpened } from "@/lib/activity";
import { publishAnswerData } from "@/lib/answerData";
import { HISTORY_KEY } from "@/lib/api/history";
import { retitle } from "@/lib/api/historyPages";
import {
  type ChatMessage,
  fetchMessages,
  isAnswerDue,
  messageMetadataSchema,
} from "@/lib/api/messages";
import { newId } from "@/lib/newId";
import { notifyError } from "@/lib/notify";
import { queryClient } from "@/lib/queryClient";
import { type Signal, createSignal } from "@/lib/signal";
import { Chat } from "@ai-sdk/react";
import { AnswerTransport } from "./transport";

export interface Conversation {
  chat: Chat<ChatMessage>;
  isReconnecting: Signal<boolean>;
}

const conversations = new Map<string, Conversation>();

export function findConversation(chatId: string): Conversation | undefined {
  return conversations.get(chatId);
}

/** Reads a stored chat, and follows the answer that it is still owed. */
export async function loadConversation(chatId: string, signal: AbortSignal) {
  const { messages, isReadonly } = await fetchMessages(chatId, signal);
  const conversation = openConversation(chatId, messages);
  if (isAnswerDue(messages)) void conversation.chat.resumeStream();
  return { conversation, isReadonly };
}

export function openConversation(chatId: string, messages: ChatMessage[]): Conversation {
  const isReconnecting = createSignal(false);
  const chat: Chat<ChatMessage> = new Chat<ChatMessage>({
    id: chatId,
    messages,
    messageMetadataSchema,
    generateId: newId,
    transport: new AnswerTransport({
      onAccepted: () => void refreshHistory(),
      onReconnecting: isReconnecting.set,
      onOutrun: (stored) => {
        chat.messages = stored;
      },
    }),
    onData: (part) => {
      if (part.type === "data-chat-title") retitle(queryClient, chatId, part.data);
      publishAnswerData({ chatId, name: part.type.slice("data-".length), data: part.data });
    },
    onError: (error) => void notifyError(error),
    onFinish: () => isReconnecting.set(false),
  });
  chat["~registerStatusCallback"](() =>
    noteAnswering(chatId, chat.status === "submitted" || chat.status === "streaming"),
  );
  return { chat, isReconnecting };
}

export function keepConversation(conversation: Conversation): void {
  conversations.set(conversation.chat.id, conversation);
  noteOpened(conversation.chat.id);
}

/** Forgets a conversation that the gateway knows all of; its next visit reads it afresh. */
export function releaseConversation({ chat }: Conversation): void {
  noteLeft(chat.id);
  if (chat.status === "ready") conversations.delete(chat.id);
}

/** A read begun before the chat was stored lacks it, and must not pass for a fresh one. */
async function refreshHistory(): Promise<void> {
  await queryClient.cancelQueries({ queryKey: HISTORY_KEY });
  await queryClient.invalidateQueries({ queryKey: HISTORY_KEY });
}
