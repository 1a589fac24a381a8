/** Speaks the UI message stream protocol with the gateway: sends, follows, survives drops. */
import { wholeAnswer } from "@/lib/api/answerStream";
import { type ChatMessage, fetchMessages } from "@/lib/api/messages";
import { gatewayFetch } from "@/lib/api/request";
import { GatewayError } from "@/lib/errors";
import { DefaultChatTransport, type UIMessageChunk } from "ai";
import { z } from "zod";
import { pauseBefore } from "./pause";

type Transport = DefaultChatTransport<ChatMessage>;
type SendOptions = Parameters<Transport["sendMessages"]>[0];
type ReconnectOptions = Parameters<Transport["reconnectToStream"]>[0];
type AnswerParts = ReadableStream<UIMessageChunk>;

export interface TransportEvents {
  /** The gateway has stored the message and started the answer. */
  onAccepted: () => void;
  /** True between a drop and the moment the parts flow again. */
  onReconnecting: (isReconnecting: boolean) => void;
  /** The answer ended while the connection was down; these are the messages as stored. */
  onOutrun: (messages: ChatMessage[]) => void;
}

const reconnectMetadataSchema = z.object({ offset: z.number() });

export class AnswerTransport extends DefaultChatTransport<ChatMessage> {
  private readonly events: TransportEvents;

  constructor(events: TransportEvents) {
    super({
      fetch: gatewayFetch,
      prepareSendMessagesRequest: ({ id, messages, trigger, messageId, body }) => ({
        body: { ...body, id, message: messages.at(-1), trigger, messageId },
      }),
      prepareReconnectToStreamRequest: ({ id, requestMetadata }) => {
        const { offset } = reconnectMetadataSchema.parse(requestMetadata);
        return { api: `/api/chat/${id}/stream?offset=${offset}` };
      },
    });
    this.events = events;
  }

  override async sendMessages(options: SendOptions): Promise<AnswerParts> {
    const parts = await super.sendMessages(options);
    this.events.onAccepted();
    return this.follow(parts, options.chatId, options.abortSignal);
  }

  override async reconnectToStream(options: ReconnectOptions): Promise<AnswerParts | null> {
    const parts = await super.reconnectToStream({ ...options, metadata: { offset: 0 } });
    return parts && this.follow(parts, options.chatId, options.abortSignal);
  }

  private follow(parts: AnswerParts, chatId: string, abortSignal?: AbortSignal): AnswerParts {
    return wholeAnswer(parts, {
      reopen: async (offset) => {
        const reopened = await super.reconnectToStream({
          chatId,
          abortSignal,
          metadata: { offset },
        });
        this.events.onReconnecting(false);
        return reopened;
      },
      onOutrun: async () => {
        this.events.onOutrun((await fetchMessages(chatId, abortSignal)).messages);
      },
      pause: (attempt) => {
        this.events.onReconnecting(true);
        return pauseBefore(attempt, abortSignal);
      },
    }).pipeThrough(new TransformStream({ transform: raiseFailure }));
  }
}

/** A failed answer fails with the server's own words. */
function raiseFailure(
  part: UIMessageChunk,
  controller: TransformStreamDefaultController<UIMessageChunk>,
): void {
  if (part.type === "error") throw new GatewayError("error:stream", part.errorText);
  controller.enqueue(part);
}
