import type { ChatMessage } from "@/lib/api/messages";
import type { Signal } from "@/lib/signal";
import type { UndoQueue } from "@/lib/undoQueue";
import type { Chat } from "@ai-sdk/react";

/** A chat with what its page knows of it beyond its messages. */
export interface Conversation {
  chat: Chat<ChatMessage>;
  isReconnecting: Signal<boolean>;
  /** Who is asked next. */
  modelId: Signal<string | undefined>;
  /** Messages before the first one on screen. */
  earlier: Signal<"none" | "some" | "loading">;
  /** The question that is being edited in its place. */
  editing: Signal<string | undefined>;
  deletions: UndoQueue;
  /** The answer under way makes a branch: what it stands beside is known once it has ended. */
  isBranching: boolean;
}
