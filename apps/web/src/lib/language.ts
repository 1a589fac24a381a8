/** The language of the page: the reader's choice, or the browser's. */
import { i18n } from "@/lib/i18n";
import { createPreference } from "@/lib/preference";
import * as z from "zod/mini";

export const LANGUAGE_NAMES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGE_NAMES;

/** `auto` is the browser's language. */
export const languageChoice = createPreference("language", z.enum(["auto", "en", "de"]), "auto");

/** Resolves once the page speaks the reader's language; from then on it follows the choice. */
export async function startLanguage(): Promise<void> {
  languageChoice.subscribe(() => void speak(chosenLanguage()));
  await speak(chosenLanguage());
}

function chosenLanguage(): Language {
  const choice = languageChoice.get();
  if (choice !== "auto") return choice;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage) ?? "en";
}

async function speak(language: Language): Promise<void> {
  if (language === "de" && !i18n.hasResourceBundle("de", "common")) {
    for (const [namespace, strings] of Object.entries(await import("@/strings/de"))) {
      i18n.addResourceBundle("de", namespace, strings);
    }
  }
  await i18n.changeLanguage(language);
  document.documentElement.lang = language;
  document.documentElement.dir = i18n.dir(language);
}

function isLanguage(tag: string): tag is Language {
  return tag in LANGUAGE_NAMES;
}

export function languageNamed(name: string): Language | undefined {
  return isLanguage(name) ? name : undefined;
}
