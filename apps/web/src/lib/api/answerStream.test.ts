import { GatewayError, UnreachableError } from "@/lib/errors";
import { describe, expect, it, vi } from "vitest";
import { type AnswerSource, wholeAnswer } from "./answerStream";

interface Part {
  type: string;
}

const PARTS: Part[] = ["start", "a", "b", "c", "finish"].map((type) => ({ type }));

function streamOf(parts: Part[], ending: Error | undefined = undefined): ReadableStream<Part> {
  const left = [...parts];
  return new ReadableStream({
    pull(controller) {
      const part = left.shift();
      if (part) controller.enqueue(part);
      else if (ending) controller.error(ending);
      else controller.close();
    },
  });
}

function sourceOf(changes: Partial<AnswerSource<Part>> = {}): AnswerSource<Part> {
  return {
    reopen: vi.fn(async (offset: number) => streamOf(PARTS.slice(offset))),
    onOutrun: vi.fn(async () => undefined),
    pause: vi.fn(async () => undefined),
    ...changes,
  };
}

async function read(stream: ReadableStream<Part>): Promise<Part[]> {
  const parts: Part[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
  }
  return parts;
}

describe("wholeAnswer", () => {
  it("passes a whole answer through and asks for nothing", async () => {
    const source = sourceOf();
    expect(await read(wholeAnswer(streamOf(PARTS), source))).toEqual(PARTS);
    expect(source.reopen).not.toHaveBeenCalled();
  });

  it.each([
    ["ends too early", undefined],
    ["breaks", new TypeError("network error")],
  ])("goes on where a stream that %s left off", async (_, ending) => {
    const source = sourceOf();
    expect(await read(wholeAnswer(streamOf(PARTS.slice(0, 2), ending), source))).toEqual(PARTS);
    expect(source.reopen).toHaveBeenCalledExactlyOnceWith(2);
  });

  it("counts across several cuts", async () => {
    const reopen = vi.fn(async (offset: number) => streamOf(PARTS.slice(offset, offset + 2)));
    expect(await read(wholeAnswer(streamOf([]), sourceOf({ reopen })))).toEqual(PARTS);
    expect(reopen.mock.calls).toEqual([[0], [2], [4]]);
  });

  it("waits for a gateway that is away", async () => {
    const reopen = vi
      .fn(async (offset: number) => streamOf(PARTS.slice(offset)))
      .mockRejectedValueOnce(new UnreachableError());
    const source = sourceOf({ reopen });
    expect(await read(wholeAnswer(streamOf(PARTS.slice(0, 3)), source))).toEqual(PARTS);
    expect(source.pause).toHaveBeenLastCalledWith(1);
  });

  it("gives up on a gateway that stays away", async () => {
    const reopen = vi.fn(() => Promise.reject(new UnreachableError()));
    const reading = read(wholeAnswer(streamOf([]), sourceOf({ reopen })));
    await expect(reading).rejects.toBeInstanceOf(UnreachableError);
  });

  it("does not insist where it is refused", async () => {
    const refusal = new GatewayError("not_found:chat", "gone", 404);
    const reopen = vi.fn(() => Promise.reject(refusal));
    await expect(read(wholeAnswer(streamOf([]), sourceOf({ reopen })))).rejects.toBe(refusal);
    expect(reopen).toHaveBeenCalledOnce();
  });

  it("reports an answer that ended meanwhile", async () => {
    const source = sourceOf({ reopen: async () => null });
    const parts = PARTS.slice(0, 2);
    expect(await read(wholeAnswer(streamOf(parts), source))).toEqual(parts);
    expect(source.onOutrun).toHaveBeenCalledOnce();
  });
});
