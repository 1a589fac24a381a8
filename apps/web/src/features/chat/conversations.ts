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
  deleteMessage,
  fetchMessages,
  isAnswerDue,
  messageMetadataSchema,
} from "@/lib/api/messages";
import { newId } from "@/lib/newId";
import { notifyError } from "@/lib/notify";
import { queryClient, reread } from "@/lib/queryClient";
import { createSignal } from "@/lib/signal";
import { createUndoQueue } from "@/lib/undoQueue";
import type { Chat } from "@ai-sdk/react";
import {
  type ChatInit,
  type ChatStatus,
  lastAssistantMessageIsCompleteWithApprovalResponses,
} from "ai";
import { changeSettings } from "./chatSettings";
import type { Conversation } from "./conversation";
import { loadMarkdown } from "./loadMarkdown";
import { mergeStored } from "./merge";
import { tellOtherTabs } from "./otherTabs";
import { PAGE_SIZE, catchUp } from "./stored";
import { AnswerTransport } from "./transport";
import { asStopped } from "./unfinished";
import { WatchedChat } from "./watchedChat";

const conversations = new Map<string, Conversation>();

export function findConversation(chatId: string): Conversation | undefined {
  return conversations.get(chatId);
}

/** Reads a stored chat, and follows the answer that it is still owed. */
export async function loadConversation(chatId: string, signal: AbortSignal): Promise<Conversation> {
  const [stored] = await Promise.all([
    fetchMessages(chatId, { limit: PAGE_SIZE, signal }),
    loadMarkdown().catch(() => undefined), // plain text can be read, too
  ]);
  const { messages, visibility, isReadonly } = stored;
  changeSettings(chatId, { visibility, isReadonly, isStored: messages.length > 0 });
  const conversation = openConversation(chatId, messages, stored.hasMore);
  if (isAnswerDue(messages)) void conversation.chat.resumeStream();
  return conversation;
}

export function openConversation(
  chatId: string,
  messages: ChatMessage[],
  hasEarlier = false,
): Conversation {
  const conversation: Conversation = {
    chat: openChat(chatId, messages, () => conversation),
    isReconnecting: createSignal(false),
    modelId: createSignal<string | undefined>(undefined),
    earlier: createSignal<"none" | "some" | "loading">(hasEarlier ? "some" : "none"),
    editing: createSignal<string | undefined>(undefined),
    deletions: createUndoQueue({
      act: (id, isLeaving) => deleteMessage(chatId, id, isLeaving),
      onDone: (ids) => {
        const { chat } = conversation;
        chat.messages = chat.messages.filter(({ id }) => !ids.has(id));
      },
      onFailed: (error) => void notifyError(error),
    }),
    isBranching: false,
  };
  return conversation;
}

function openChat(
  chatId: string,
  messages: ChatMessage[],
  conversationOf: () => Conversation,
): Chat<ChatMessage> {
  const noteStatus = (status: ChatStatus) =>
    noteAnswering(chatId, status === "submitted" || status === "streaming");
  const init: ChatInit<ChatMessage> = {
    id: chatId,
    messages,
    messageMetadataSchema,
    generateId: newId,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    transport: new AnswerTransport({
      onAccepted: () => {
        changeSettings(chatId, { isStored: true });
        tellOtherTabs(chatId);
        void reread(queryClient, HISTORY_KEY);
      },
      onReconnecting: (isReconnecting) => conversationOf().isReconnecting.set(isReconnecting),
      onOutrun: async (signal) => {
        const stored = await fetchMessages(chatId, { limit: PAGE_SIZE, signal });
        chat.messages = mergeStored(chat.messages, stored.messages);
      },
    }),
    onData: (part) => {
      if (part.type === "data-chat-title") retitle(queryClient, chatId, part.data);
      publishAnswerData({ chatId, name: part.type.slice("data-".length), data: part.data });
    },
    onError: (error) => void notifyError(error),
    onFinish: ({ isAbort }) => void settle(conversationOf(), isAbort),
  };
  const chat = new WatchedChat(init, noteStatus);
  return chat;
}

/** After an answer: what it stands beside, and its rest, where only a part of it was read. */
async function settle(conversation: Conversation, isAbort: boolean): Promise<void> {
  const { chat, isReconnecting } = conversation;
  isReconnecting.set(false);
  if (isAbort) chat.messages = asStopped(chat.messages);
  const isUnread = isAnswerDue(chat.messages) && !isAbort;
  if (!conversation.isBranching && !isUnread) return;
  conversation.isBranching = false;
  await catchUp(conversation).catch(() => undefined);
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
