/** Whether chats are being searched. */
import { createSignal } from "@/lib/signal";

export const isSearchOpen = createSignal(false);

export function openSearch(): void {
  isSearchOpen.set(true);
}
