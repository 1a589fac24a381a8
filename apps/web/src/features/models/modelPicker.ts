/** Whether the list of models is open: a click, a shortcut and a command open it. */
import { createSignal } from "@/lib/signal";

export const isModelPickerOpen = createSignal(false);
