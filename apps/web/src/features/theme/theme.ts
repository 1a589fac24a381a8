/** Light, dark, or whatever the system says. `public/theme.js` does the same before the first paint. */
import { createPreference } from "@/lib/preference";
import { useSignal } from "@/lib/signal";
import { useMediaQuery } from "@/lib/useMediaQuery";
import { useLayoutEffect } from "react";
import { z } from "zod";

const themeSchema = z.enum(["light", "dark", "system"]);

export type Theme = z.infer<typeof themeSchema>;

export const themePreference = createPreference("theme", themeSchema, "system");

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
