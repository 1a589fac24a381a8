import { findConversation } from "@/features/chat/conversations";
import type { Command } from "@/features/composer/command";
import { findModel } from "@/features/models/findModel";
import { isModelPickerOpen } from "@/features/models/modelPicker";
import { nextTheme, themeNamed, themePreference } from "@/features/theme/theme";
import { changeChat, clearChat, deleteChat } from "@/lib/api/chat";
import { HISTORY_KEY, deleteAllChats } from "@/lib/api/history";
import type { Model } from "@/lib/api/models";
import { t } from "@/lib/i18n";
import { notifyError, notifyRefusal } from "@/lib/notify";
import { queryClient, reread } from "@/lib/queryClient";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { COMMAND_NAMES, type CommandName } from "./commandNames";
import { isKeyboardMapOpen } from "./useShortcuts";

/** What cannot be undone is asked about first. */
export type Danger = Extract<CommandName, "clear" | "delete" | "purge">;

interface CommandsOptions {
  chatId: string;
  isNew: boolean;
  models: Model[];
  onChooseModel: (id: string) => void;
}

/** What the box can do beside sending; `danger` waits for a yes. */
export function useCommands({ chatId, isNew, models, onChooseModel }: CommandsOptions) {
  const { t: tell } = useTranslation("composer");
  const navigate = useNavigate();
  const [danger, setDanger] = useState<Danger>();

  /** Some commands need a chat that is stored. */
  const withChat = (act: () => void) => () => {
    if (isNew) void notifyRefusal(t("composer:noChatYet"));
    else act();
  };
  const start = () => navigate({ to: "/" });

  const actions: Record<CommandName, (argument: string) => void> = {
    new: () => void start(),
    clear: withChat(() => setDanger("clear")),
    rename: (title) => withChat(() => void rename(chatId, title))(),
    model: (words) => chooseModel(models, words, onChooseModel),
    theme: chooseTheme,
    delete: withChat(() => setDanger("delete")),
    purge: () => setDanger("purge"),
    help: () => isKeyboardMapOpen.set(true),
  };
  const commands = COMMAND_NAMES.map((name): Command => ({
    name,
    description: tell(`command.${name}`),
    run: actions[name],
    ...(takesArgument(name) && { argument: tell(`command.${name}Argument`) }),
  }));

  async function confirm(): Promise<void> {
    try {
      if (danger === "clear") await clear(chatId);
      else if (danger === "delete") await deleteChat(chatId);
      else if (danger === "purge") await deleteAllChats();
      await reread(queryClient, HISTORY_KEY);
      if (danger !== "clear") await start();
    } catch (error) {
      void notifyError(error);
    }
  }

  return { commands, danger, confirm, dismiss: () => setDanger(undefined) };
}

function takesArgument(name: CommandName): name is "rename" | "model" | "theme" {
  return name === "rename" || name === "model" || name === "theme";
}

async function rename(chatId: string, title: string): Promise<void> {
  if (!title) return;
  try {
    await changeChat(chatId, { title });
    await reread(queryClient, HISTORY_KEY);
  } catch (error) {
    void notifyError(error);
  }
}

async function clear(chatId: string): Promise<void> {
  await clearChat(chatId);
  const conversation = findConversation(chatId);
  if (conversation) conversation.chat.messages = [];
}

function chooseModel(models: Model[], words: string, onChoose: (id: string) => void): void {
  const model = words ? findModel(models, words) : undefined;
  if (model) onChoose(model.id);
  else if (words) void notifyRefusal(t("composer:noSuchModel", { name: words }));
  else isModelPickerOpen.set(true);
}

function chooseTheme(word: string): void {
  const theme = word ? themeNamed(word) : nextTheme(themePreference.get());
  if (theme) themePreference.set(theme);
  else void notifyRefusal(t("composer:noSuchTheme"));
}
