/** Speaks the UI message stream protocol with the gateway: sends, follows, survives drops. */
import { wholeAnswer } from "@/lib/api/answerStream";
import type { ChatMessage } from "@/lib/api/messages";
import { gatewayFetch } from "@/lib/api/request";
import { GatewayError } from "@/lib/errors";
import { DefaultChatTransport, type UIMessageChunk } from "ai";
import * as z from "zod/mini";
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
  /** The answer cannot be followed any further: its stored form is the truth now. */
  onOutrun: (signal: AbortSignal | undefined) => Promise<void>;
}

/** What this client understands beyond the parts that every client does. */
const KNOWN_PARTS = { toolApproval: true, resetStep: true };

const reconnectMetadataSchema = z.object({ offset: z.number() });

export class AnswerTransport extends DefaultChatTransport<ChatMessage> {
  private readonly events: TransportEvents;

  constructor(events: TransportEvents) {
    super({
      fetch: gatewayFetch,
      prepareSendMessagesRequest: ({ id, messages, trigger, messageId, body }) => ({
        body: { ...body, ...KNOWN_PARTS, ...asked(messages), id, trigger, messageId },
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
    return this.follow(parts, options, isDecision(options.messages));
  }

  override async reconnectToStream(options: ReconnectOptions): Promise<AnswerParts | null> {
    const parts = await super.reconnectToStream({ ...options, metadata: { offset: 0 } });
    if (parts) return this.follow(parts, options, false);
    await this.events.onOutrun(options.abortSignal);
    return null;
  }

  /** `isRest`: the answer had begun before, so these parts cannot be counted from its beginning. */
  private follow(
    parts: AnswerParts,
    { chatId, abortSignal }: Pick<ReconnectOptions, "chatId" | "abortSignal">,
    isRest: boolean,
  ): AnswerParts {
    return wholeAnswer(parts, {
      reopen: async (offset) => {
        if (isRest) {
          await this.events.onOutrun(abortSignal);
          return null;
        }
        const reopened = await super.reconnectToStream({
          chatId,
          abortSignal,
          metadata: { offset },
        });
        this.events.onReconnecting(false);
        return reopened;
      },
      onOutrun: () => this.events.onOutrun(abortSignal),
      pause: (attempt) => {
        this.events.onReconnecting(true);
        return pauseBefore(attempt, abortSignal);
      },
    }).pipeThrough(new TransformStream({ transform: raiseFailure }));
  }
}

/** A question, or the answer with what was decided about its calls. */
function asked(messages: ChatMessage[]) {
  return isDecision(messages) ? { messages: messages.slice(-1) } : { message: messages.at(-1) };
}

function isDecision(messages: ChatMessage[]): boolean {
  return messages.at(-1)?.role === "assistant";
}

/** A failed answer fails with the server's own words. */
function raiseFailure(
  part: UIMessageChunk,
  controller: TransformStreamDefaultController<UIMessageChunk>,
): void {
  if (part.type === "error") throw new GatewayError("error:stream", part.errorText);
  controller.enqueue(part);
}
