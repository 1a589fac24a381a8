import { MenuLabel, MenuRadioGroup, MenuRadioItem } from "@/components/ui/menu";
import { useSignal } from "@/lib/signal";
import { Monitor, Moon, Sun } from "lucide-react";
import { type Theme, themePreference } from "./theme";

const CHOICES = [
  { theme: "light", label: "Light", Icon: Sun },
  { theme: "dark", label: "Dark", Icon: Moon },
  { theme: "system", label: "System", Icon: Monitor },
] as const satisfies { theme: Theme; label: string; Icon: typeof Sun }[];

export function ThemeMenuItems() {
  const theme = useSignal(themePreference);
  return (
    <div data-testid="user-nav-item-theme">
      <MenuLabel>Theme</MenuLabel>
      <MenuRadioGroup value={theme}>
        {CHOICES.map(({ theme: value, label, Icon }) => (
          <MenuRadioItem key={value} value={value} onSelect={() => themePreference.set(value)}>
            <Icon />
            {label}
          </MenuRadioItem>
        ))}
      </MenuRadioGroup>
    </div>
  );
}
