/** The messages of one chat, as the gateway stores and streams them. */
import type { UIMessage } from "ai";
import { z } from "zod";
import { getJson, send } from "./request";

const answerStatusSchema = z.enum(["streaming", "complete", "stopped", "interrupted", "error"]);

export const messageMetadataSchema = z.looseObject({
  status: answerStatusSchema.optional(),
});

const storedMessageSchema = z.looseObject({
  id: z.string(),
  role: z.enum(["system", "user", "assistant"]),
  parts: z.array(z.looseObject({ type: z.string() })),
  metadata: messageMetadataSchema.optional(),
});

const storedChatSchema = z.object({
  messages: z.array(storedMessageSchema),
  title: z.string().nullable(),
  isReadonly: z.boolean(),
});

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

export async function fetchMessages(chatId: string, signal?: AbortSignal): Promise<StoredChat> {
  const query = new URLSearchParams({ chatId });
  const chat = await getJson(`/api/messages?${query}`, storedChatSchema, signal);
  // The envelope is checked; the parts are the UI message protocol's, which the AI SDK owns.
  return { ...chat, messages: chat.messages as unknown as ChatMessage[] };
}

/** Ends the answer on the server; the open stream then closes with an `abort` part. */
export function stopAnswer(chatId: string): Promise<void> {
  return send("POST", `/api/chat/${chatId}/stop`, {});
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
