import { useTheme } from "@/features/theme/theme";
import { useSignal } from "@/lib/signal";
import { Outlet } from "@tanstack/react-router";
import { Direction, Tooltip } from "radix-ui";
import { Suspense, lazy } from "react";
import { useTranslation } from "react-i18next";
import { isKeyboardMapOpen, useShortcuts } from "./useShortcuts";

const Toaster = lazy(async () => {
  // What toasts are made with comes along: once offline it could not be fetched to say so.
  const [toaster] = await Promise.all([import("@/components/ui/toaster"), import("sonner")]);
  return toaster;
});
const KeyboardMap = lazy(() => import("./KeyboardMap"));

/** What every page has: colours, toasts and the keyboard map. */
export function Shell() {
  const theme = useTheme();
  const { i18n } = useTranslation();
  const isMapOpen = useSignal(isKeyboardMapOpen);
  useShortcuts({ showShortcuts: () => isKeyboardMapOpen.set(!isKeyboardMapOpen.get()) });

  return (
    <Direction.Provider dir={i18n.dir()}>
      <Tooltip.Provider delayDuration={400}>
        <Outlet />
        <Suspense>
          <Toaster theme={theme} />
          {isMapOpen && <KeyboardMap />}
        </Suspense>
      </Tooltip.Provider>
    </Direction.Provider>
  );
}
