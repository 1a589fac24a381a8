/**
 * What the page says. English is at hand at once; `language.ts` brings the others.
 *
 * Components call `useTranslation("chat")`; code without a component calls `t("errors:offline")`.
 */
import * as english from "@/strings/en";
import { createInstance } from "i18next";
import { initReactI18next } from "react-i18next";

export const i18n = createInstance();

void i18n.use(initReactI18next).init({
  resources: { en: english },
  lng: "en",
  fallbackLng: "en",
  defaultNS: "common",
  initAsync: false,
  interpolation: { escapeValue: false }, // React escapes
});

export const { t } = i18n;

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: typeof english;
  }
}
