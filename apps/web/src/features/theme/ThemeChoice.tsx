import { Select } from "@/components/ui/select";
import { useSignal } from "@/lib/signal";
import { useTranslation } from "react-i18next";
import { THEMES, themeNamed, themePreference } from "./theme";

export function ThemeChoice() {
  const { t } = useTranslation("theme");
  const theme = useSignal(themePreference);
  return (
    <Select
      label={t("title")}
      value={theme}
      onChange={(name) => themePreference.set(themeNamed(name) ?? "system")}
    >
      {THEMES.map((name) => (
        <option key={name} value={name}>
          {t(name)}
        </option>
      ))}
    </Select>
  );
}
