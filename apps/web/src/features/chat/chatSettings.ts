/** What is known of a chat beside its messages; the header shows it, the first question takes it. */
import type { Visibility } from "@/lib/api/messages";
import { type Signal, createSignal, useSignal } from "@/lib/signal";
import { useSyncExternalStore } from "react";

export interface ChatSettings {
  visibility: Visibility;
  /** It belongs to someone else. */
  isReadonly: boolean;
  /** The gateway has it: until the first question it is only an address. */
  isStored: boolean;
}

const NEW_CHAT: ChatSettings = { visibility: "private", isReadonly: false, isStored: false };
const settings = new Map<string, Signal<ChatSettings>>();

export function settingsOf(chatId: string): Signal<ChatSettings> {
  const known = settings.get(chatId) ?? createSignal(NEW_CHAT);
  settings.set(chatId, known);
  return known;
}

export function changeSettings(chatId: string, change: Partial<ChatSettings>): void {
  const signal = settingsOf(chatId);
  signal.set({ ...signal.get(), ...change });
}

export function useChatSettings(chatId: string): ChatSettings {
  return useSignal(settingsOf(chatId));
}

/** For what stands beside every message, and must not be rendered again for the rest. */
export function useIsStored(chatId: string): boolean {
  const signal = settingsOf(chatId);
  return useSyncExternalStore(signal.subscribe, () => signal.get().isStored);
}
