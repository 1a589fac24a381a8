/** Whether the sidebar is open: remembered on wide screens, closed at first on narrow ones. */
import { createPreference } from "@/lib/preference";
import { createSignal, useSignal } from "@/lib/signal";
import { useMediaQuery } from "@/lib/useMediaQuery";
import * as z from "zod/mini";

const isDocked = createPreference("sidebar", z.boolean(), true);
const isSheetOpen = createSignal(false);

export function useSidebar() {
  const isNarrow = useMediaQuery("(width < 48rem)");
  const state = isNarrow ? isSheetOpen : isDocked;
  const isOpen = useSignal(state);
  return {
    isNarrow,
    isOpen,
    setOpen: state.set,
    toggle: () => state.set(!state.get()),
    closeSheet: () => isSheetOpen.set(false),
  };
}
