/** What tabs tell each other: that a chat has got a question. */
import * as z from "zod/mini";

const channel = new BroadcastChannel("raylm:questions");
const noteSchema = z.object({ chatId: z.string() });

export function tellOtherTabs(chatId: string): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has its own
  channel.postMessage({ chatId });
}

/** Returns what ends it. */
export function onQuestionElsewhere(chatId: string, listener: () => void): () => void {
  function onMessage({ data }: MessageEvent<unknown>): void {
    const note = noteSchema.safeParse(data);
    if (note.success && note.data.chatId === chatId) listener();
  }
  channel.addEventListener("message", onMessage);
  return () => channel.removeEventListener("message", onMessage);
}
