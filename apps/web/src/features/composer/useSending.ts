import { t } from "@/lib/i18n";
import { notifyRefusal } from "@/lib/notify";
import type { FileUIPart } from "ai";
import { type Command, invocationOf } from "./command";
import type { useDraft } from "./useDraft";

interface SendingOptions {
  draft: ReturnType<typeof useDraft>;
  commands: Command[];
  isBusy: boolean;
  onSend: (text: string, files: FileUIPart[]) => boolean;
}

/** What becomes of the box's content: a command is run, a message sent, or it stays and why is said. */
export function useSending({ draft, commands, isBusy, onSend }: SendingOptions) {
  const { text, setText, parts, attachments, release } = draft;
  const isEmpty = text.trim() === "" && parts.length === 0;
  const isUploading = attachments.some(({ state }) => state === "uploading");

  function run(command: Command, argument: string): void {
    setText("");
    command.run(argument);
  }

  function submit(): void {
    const invocation = invocationOf(commands, text);
    if (invocation) run(invocation.command, invocation.argument);
    else if (isEmpty) return;
    else if (isBusy) void notifyRefusal(t("composer:busy"));
    else if (isUploading) void notifyRefusal(t("composer:stillUploading"));
    else sendMessage(text.trim());
  }

  function sendMessage(message: string): void {
    if (onSend(message, parts)) release(message, parts);
  }

  return { submit, run, sendMessage, isEmpty, isUploading };
}
