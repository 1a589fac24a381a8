import type { ChatMessage } from "@/lib/api/messages";
import { Chat } from "@ai-sdk/react";
import type { ChatInit, ChatStatus } from "ai";

/** The SDK's chat, whose status is also told outside React. */
export class WatchedChat extends Chat<ChatMessage> {
  private readonly onStatus: (status: ChatStatus) => void;

  constructor(init: ChatInit<ChatMessage>, onStatus: (status: ChatStatus) => void) {
    super(init);
    this.onStatus = onStatus;
  }

  protected override setStatus(change: { status: ChatStatus; error?: Error }): void {
    super.setStatus(change);
    this.onStatus(this.status);
  }
}
