import type { Model } from "@/lib/api/models";
import { OfflineError } from "@/lib/errors";
import { t } from "@/lib/i18n";
import { notifyError, notifyRefusal } from "@/lib/notify";
import { useChat } from "@ai-sdk/react";
import type { FileUIPart } from "ai";
import { useEffect, useMemo } from "react";
import type { Conversation } from "./conversation";
import { deedsIn } from "./deeds";
import { requestOptions } from "./requestOptions";
import { useStop } from "./useStop";

const RENDER_EVERY_MS = 33;

/** The messages of a conversation and what one can do about its answer. */
export function useAnswer(conversation: Conversation, model: Model | undefined) {
  const { chat, deletions, modelId } = conversation;
  const { messages, status, error } = useChat({ chat, throttle: RENDER_EVERY_MS });
  const isBusy = status === "submitted" || status === "streaming";
  const stop = useStop(chat, isBusy);
  const deeds = useMemo(() => deedsIn(conversation), [conversation]);
  useEffect(() => modelId.set(model?.id), [modelId, model]);

  /** Returns whether the message was taken: if not, it stays in the box. */
  function send(text: string, files: FileUIPart[] = []): boolean {
    if (isBusy) {
      void notifyRefusal(t("chat:waitForAnswer"));
      return false;
    }
    if (!navigator.onLine) {
      void notifyError(new OfflineError());
      return false;
    }
    deletions.flush();
    void chat.sendMessage(text ? { text, files } : { files }, requestOptions(conversation));
    return true;
  }

  return { messages, error, isBusy, send, stop, deeds };
}
