import { Select } from "@/components/ui/select";
import { LANGUAGE_NAMES, languageChoice, languageNamed } from "@/lib/language";
import { useSignal } from "@/lib/signal";
import { useTranslation } from "react-i18next";

export function LanguageChoice() {
  const { t } = useTranslation("settings");
  const choice = useSignal(languageChoice);
  return (
    <Select
      label={t("language")}
      value={choice}
      onChange={(name) => languageChoice.set(languageNamed(name) ?? "auto")}
    >
      <option value="auto">{t("browserLanguage")}</option>
      {Object.entries(LANGUAGE_NAMES).map(([language, name]) => (
        <option key={language} value={language} lang={language}>
          {name}
        </option>
      ))}
    </Select>
  );
}
