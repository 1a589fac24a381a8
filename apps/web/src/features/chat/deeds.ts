import { t } from "@/lib/i18n";
import { notifyError, notifyRefusal, notifyUndo } from "@/lib/notify";
import { createContext, use } from "react";
import type { Conversation } from "./conversation";
import { requestOptions } from "./requestOptions";
import { switchBranch } from "./stored";

/** What one can do with the messages of a conversation; the same object for all of its life. */
export interface Deeds {
  chatId: string;
  /** Asks the question of an answer again, or the last one. */
  regenerate: (messageId?: string) => void;
  /** Asks in other words: the question as it was stays on a branch of its own. */
  edit: (messageId: string, text: string) => void;
  startEditing: (messageId: string | undefined) => void;
  switchTo: (messageId: string) => void;
  remove: (messageId: string) => void;
  /** Lets a call of a tool run, or not. */
  decide: (approvalId: string, isAllowed: boolean) => void;
}

/** Nothing can be done in somebody else's chat. */
export const DeedsContext = createContext<Deeds | undefined>(undefined);

export function useMessageDeeds(): Deeds | undefined {
  return use(DeedsContext);
}

export function deedsIn(conversation: Conversation): Deeds {
  const { chat, editing, deletions } = conversation;

  /** One answer at a time: whatever would change what it follows has to wait. */
  function whenQuiet(act: () => Promise<void>): void {
    if (chat.status === "submitted" || chat.status === "streaming") {
      void notifyRefusal(t("chat:waitForAnswer"));
      return;
    }
    act().catch((error: unknown) => void notifyError(error));
  }

  function branch(ask: () => Promise<void>): void {
    whenQuiet(() => {
      deletions.flush();
      conversation.isBranching = true;
      return ask();
    });
  }

  return {
    chatId: chat.id,
    regenerate: (messageId) =>
      branch(() =>
        chat.regenerate({ ...requestOptions(conversation), ...(messageId && { messageId }) }),
      ),
    edit: (messageId, text) =>
      branch(() => {
        editing.set(undefined);
        const before = chat.messages.find(({ id }) => id === messageId);
        const files = before?.parts.filter((part) => part.type === "file") ?? [];
        const parts = [...files, { type: "text" as const, text }];
        return chat.sendMessage({ parts, messageId }, requestOptions(conversation));
      }),
    startEditing: (messageId) => editing.set(messageId),
    switchTo: (messageId) => whenQuiet(() => switchBranch(conversation, messageId)),
    remove: (messageId) =>
      whenQuiet(async () => {
        const deletion = deletions.add([messageId]);
        await notifyUndo(t("chat:deleted"), {
          label: t("chat:undo"),
          onUndo: deletion.undo,
          onGone: () => void deletion.settle(),
        });
      }),
    decide: (approvalId, isAllowed) =>
      whenQuiet(async () => {
        await chat.addToolApprovalResponse({ id: approvalId, approved: isAllowed });
      }),
  };
}
