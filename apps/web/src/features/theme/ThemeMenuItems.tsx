import { MenuLabel, MenuRadioGroup, MenuRadioItem } from "@/components/ui/menu";
import { useSignal } from "@/lib/signal";
import { Monitor, Moon, Sun } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type Theme, themePreference } from "./theme";

const CHOICES = [
  { theme: "light", Icon: Sun },
  { theme: "dark", Icon: Moon },
  { theme: "system", Icon: Monitor },
] as const satisfies { theme: Theme; Icon: typeof Sun }[];

export function ThemeMenuItems() {
  const { t } = useTranslation("theme");
  const theme = useSignal(themePreference);
  return (
    <div data-testid="user-nav-item-theme">
      <MenuLabel>{t("title")}</MenuLabel>
      <MenuRadioGroup value={theme}>
        {CHOICES.map(({ theme: value, Icon }) => (
          <MenuRadioItem key={value} value={value} onSelect={() => themePreference.set(value)}>
            <Icon />
            {t(value)}
          </MenuRadioItem>
        ))}
      </MenuRadioGroup>
    </div>
  );
}
