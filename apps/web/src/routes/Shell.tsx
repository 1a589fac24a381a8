import { useTheme } from "@/features/theme/theme";
import { useSignal } from "@/lib/signal";
import { Outlet, useMatches } from "@tanstack/react-router";
import { Direction, Tooltip } from "radix-ui";
import { Suspense, lazy } from "react";
import { useTranslation } from "react-i18next";
import { Frame } from "./Frame";
import { isKeyboardMapOpen, useShortcuts } from "./useShortcuts";

const Toaster = lazy(async () => {
  // What toasts are made with comes along: once offline it could not be fetched to say so.
  const [toaster] = await Promise.all([import("@/components/ui/toaster"), import("sonner")]);
  return toaster;
});
const KeyboardMap = lazy(() => import("./KeyboardMap"));

/** What every page has: colours, toasts, the keyboard map, and mostly the sidebar. */
export function Shell() {
  const theme = useTheme();
  const { i18n } = useTranslation();
  const isBare = useMatches({
    select: (matches) => matches.some((match) => match.staticData.isBare === true),
  });
  const isMapOpen = useSignal(isKeyboardMapOpen);
  useShortcuts({ showShortcuts: () => isKeyboardMapOpen.set(!isKeyboardMapOpen.get()) });

  return (
    <Direction.Provider dir={i18n.dir()}>
      <Tooltip.Provider delayDuration={400}>
        {isBare ? <Outlet /> : <Frame />}
        <Suspense>
          <Toaster theme={theme} />
          {isMapOpen && <KeyboardMap />}
        </Suspense>
      </Tooltip.Provider>
    </Direction.Provider>
  );
}
