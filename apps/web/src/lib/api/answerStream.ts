/**
 * The parts of one answer, whole even when the connection is not.
 *
 * The gateway generates an answer apart from the request that asked for it, and serves its parts from
 * any offset. So a stream that ends without a last part was cut: it is opened again after the parts
 * already received, and the reader never notices.
 */
import { GatewayError, UnreachableError } from "@/lib/errors";

interface Part {
  type: string;
}

export interface AnswerSource<P extends Part> {
  /** The parts after the first `offset`, or null when the server has no answer under way. */
  reopen: (offset: number) => Promise<ReadableStream<P> | null>;
  /** The answer ended on the server while we were away: its stored form is the truth now. */
  onOutrun: () => Promise<void>;
  /** Resolves after `attempt` has waited its turn; rejects when the reader has gone. */
  pause: (attempt: number) => Promise<void>;
}

const MAX_ATTEMPTS = 8;

export function isLastPart(part: Part): boolean {
  return part.type === "finish" || part.type === "abort" || part.type === "error";
}

export function wholeAnswer<P extends Part>(
  first: ReadableStream<P>,
  source: AnswerSource<P>,
): ReadableStream<P> {
  const parts = followAnswer(first, source);
  return new ReadableStream<P>({
    async pull(controller) {
      const next = await parts.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
}

async function* followAnswer<P extends Part>(
  first: ReadableStream<P>,
  source: AnswerSource<P>,
): AsyncGenerator<P, void> {
  let stream: ReadableStream<P> | null = first;
  let received = 0;
  while (stream) {
    let isWhole = false;
    for await (const part of readUntilCut(stream)) {
      received += 1;
      isWhole ||= isLastPart(part);
      yield part;
    }
    if (isWhole) return;
    stream = await reopenPatiently(source, received);
  }
  await source.onOutrun();
}

/** Yields parts until the stream ends or the connection breaks: both are the same cut. */
async function* readUntilCut<P>(stream: ReadableStream<P>): AsyncGenerator<P, void> {
  const reader = stream.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function reopenPatiently<P extends Part>(
  source: AnswerSource<P>,
  offset: number,
): Promise<ReadableStream<P> | null> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    await source.pause(attempt);
    try {
      return await source.reopen(offset);
    } catch (error) {
      if (!canComeBack(error)) throw error;
    }
  }
  throw new UnreachableError();
}

function canComeBack(error: unknown): boolean {
  return error instanceof GatewayError && (error.type === "offline" || error.status >= 500);
}
