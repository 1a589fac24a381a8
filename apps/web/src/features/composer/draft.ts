/** What is not sent yet, or not known to have arrived, kept by this browser for each chat. */
import { parseJson } from "@/lib/json";
import type { FileUIPart } from "ai";
import * as z from "zod/mini";

const PREFIX = "raylm:draft:";

const draftSchema = z.object({
  text: z.string(),
  files: z.array(
    z.object({
      type: z.literal("file"),
      filename: z.optional(z.string()),
      mediaType: z.string(),
      url: z.string(),
    }),
  ),
  sentAfter: z.optional(z.nullable(z.string())),
});

export interface Draft {
  text: string;
  files: FileUIPart[];
  /** Set once it is sent: the last answer then, null for none. */
  sentAfter?: string | null | undefined;
}

/** The end of a conversation as the composer sees it. */
export interface ConversationEnd {
  isEmpty: boolean;
  /** Of the last message, if it is an answer. */
  answerId: string | undefined;
}

export type Fate = "unsent" | "pending" | "arrived";

export const EMPTY_DRAFT: Draft = { text: "", files: [] };

/** A sent draft whose question is nowhere in the chat is unsent again. */
export function fateOf({ sentAfter }: Draft, { isEmpty, answerId }: ConversationEnd): Fate {
  if (sentAfter === undefined) return "unsent";
  if (isEmpty || answerId === sentAfter) return "unsent";
  return answerId === undefined ? "pending" : "arrived";
}

export function readDraft(key: string): Draft {
  const parsed = draftSchema.safeParse(parseJson(localStorage.getItem(PREFIX + key) ?? ""));
  return parsed.success ? parsed.data : EMPTY_DRAFT;
}

export function writeDraft(key: string, draft: Draft): void {
  if (draft.text || draft.files.length > 0) {
    localStorage.setItem(PREFIX + key, JSON.stringify(draft));
  } else {
    localStorage.removeItem(PREFIX + key);
  }
}
