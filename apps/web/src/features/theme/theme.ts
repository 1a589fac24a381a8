/** Light, dark, or whatever the system says. `public/theme.js` does the same before the first paint. */
import { createPreference } from "@/lib/preference";
import { useSignal } from "@/lib/signal";
import { useMediaQuery } from "@/lib/useMediaQuery";
import { useLayoutEffect } from "react";
import * as z from "zod/mini";

export const THEMES = ["light", "dark", "system"] as const;
const themeSchema = z.enum(THEMES);

export type Theme = (typeof THEMES)[number];

export const themePreference = createPreference("theme", themeSchema, "system");

export function themeNamed(name: string): Theme | undefined {
  return THEMES.find((theme) => theme === name.toLowerCase());
}

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? theme;
}

const PAGE_COLORS = { light: "#fdfcfa", dark: "#171512" };

/** Applies the chosen theme to the page, and returns what it comes to. */
export function useTheme(): "light" | "dark" {
  const theme = useSignal(themePreference);
  const systemIsDark = useMediaQuery("(prefers-color-scheme: dark)");
  const systemTheme = systemIsDark ? "dark" : "light";
  const resolved = theme === "system" ? systemTheme : theme;

  useLayoutEffect(() => {
    document.documentElement.classList.toggle("dark", resolved === "dark");
    document
      .querySelector('meta[name="theme-color"]')
      ?.setAttribute("content", PAGE_COLORS[resolved]);
  }, [resolved]);

  return resolved;
}
