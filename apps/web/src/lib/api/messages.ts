/** The messages of one chat, as the gateway stores and streams them. */
import type { UIMessage } from "ai";
import * as z from "zod/mini";
import { getJson, send } from "./request";

const answerStatusSchema = z.enum(["streaming", "complete", "stopped", "interrupted", "error"]);

export const messageMetadataSchema = z.looseObject({
  status: z.optional(answerStatusSchema),
  /** All messages in this one's place of the chat, itself included; absent where it is alone. */
  siblings: z.optional(z.array(z.string())),
  siblingIndex: z.optional(z.number()),
});

export const visibilitySchema = z.enum(["private", "members", "public"]);

const storedMessageSchema = z.looseObject({
  id: z.string(),
  role: z.enum(["system", "user", "assistant"]),
  parts: z.array(z.looseObject({ type: z.string() })),
  metadata: z.optional(messageMetadataSchema),
});

const storedChatSchema = z.object({
  messages: z.array(storedMessageSchema),
  title: z.nullable(z.string()),
  visibility: visibilitySchema,
  isReadonly: z.boolean(),
  hasMore: z.boolean(),
});

export type Visibility = z.infer<typeof visibilitySchema>;
export type AnswerStatus = z.infer<typeof answerStatusSchema>;
export type MessageMetadata = z.infer<typeof messageMetadataSchema>;
/** What the user should know about an answer beside what it says. */
export interface Notice {
  kind: string;
  text: string;
}
export type ChatMessage = UIMessage<MessageMetadata, { "chat-title": string; notice: Notice }>;
export type StoredChat = Omit<z.infer<typeof storedChatSchema>, "messages"> & {
  messages: ChatMessage[];
};

/** The newest messages of the active branch, or the newest `before` one of them. */
export async function fetchMessages(
  chatId: string,
  { limit, before, signal }: { limit?: number; before?: string; signal?: AbortSignal } = {},
): Promise<StoredChat> {
  const query = new URLSearchParams({ chatId });
  if (limit) query.set("limit", String(limit));
  if (before) query.set("before", before);
  const chat = await getJson(`/api/messages?${query}`, storedChatSchema, signal);
  // The envelope is checked; the parts are the UI message protocol's, which the AI SDK owns.
  return { ...chat, messages: chat.messages as unknown as ChatMessage[] };
}

/** Ends the answer on the server; the open stream then closes with an `abort` part. */
export function stopAnswer(chatId: string): Promise<void> {
  return send("POST", `/api/chat/${chatId}/stop`, {});
}

/** The branch through this message is the one that is seen and continued from now on. */
export function chooseBranch(chatId: string, messageId: string): Promise<void> {
  return send("POST", `/api/chat/${chatId}/branch`, { messageId });
}

/** `isLeaving` lets the request outlive the page. */
export function deleteMessage(chatId: string, messageId: string, isLeaving = false): Promise<void> {
  const query = new URLSearchParams({ chatId });
  const path = `/api/messages/${encodeURIComponent(messageId)}?${query}`;
  return send("DELETE", path, undefined, isLeaving);
}

/** Whether the server is, by these messages, still owing an answer. */
export function isAnswerDue(messages: ChatMessage[]): boolean {
  const last = messages.at(-1);
  return last?.role === "user" || last?.metadata?.status === "streaming";
}

/** The readable text of a message, without reasoning or tool calls. */
export function messageText(message: ChatMessage): string {
  return message.parts
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n\n")
    .trim();
}
