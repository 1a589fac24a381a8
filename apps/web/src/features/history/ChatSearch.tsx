import { useSignal } from "@/lib/signal";
import { Suspense, lazy } from "react";
import { isSearchOpen } from "./searchOpen";

const SearchDialog = lazy(() => import("./SearchDialog"));

/** The search of chats, once somebody wants it. */
export function ChatSearch({ onNavigate }: { onNavigate: () => void }) {
  const isOpen = useSignal(isSearchOpen);
  return (
    <Suspense>
      {isOpen && <SearchDialog onClose={() => isSearchOpen.set(false)} onNavigate={onNavigate} />}
    </Suspense>
  );
}
