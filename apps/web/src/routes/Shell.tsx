import { Sheet } from "@/components/ui/sheet";
import { ChatSearch } from "@/features/history/ChatSearch";
import { openSearch } from "@/features/history/searchOpen";
import { useTheme } from "@/features/theme/theme";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { Suspense, lazy } from "react";
import { Sidebar } from "./Sidebar";
import { useShortcuts } from "./useShortcuts";
import { useSidebar } from "./useSidebar";

const Toaster = lazy(() => import("@/components/ui/toaster"));

/** The frame around every page: the sidebar, docked or as a sheet, and the toasts. */
export function Shell() {
  const theme = useTheme();
  const { isNarrow, isOpen, setOpen, toggle, closeSheet } = useSidebar();
  const navigate = useNavigate();
  useShortcuts({
    "mod+b": toggle,
    "mod+k": openSearch,
    "mod+shift+o": () => void navigate({ to: "/" }),
  });

  return (
    <Tooltip.Provider delayDuration={400}>
      <div className="flex h-dvh overflow-hidden">
        {isNarrow ? (
          <Sheet isOpen={isOpen} onOpenChange={setOpen} label="Sidebar">
            <Sidebar />
          </Sheet>
        ) : (
          isOpen && (
            <aside aria-label="Sidebar" className="w-68 shrink-0 border-e">
              <Sidebar />
            </aside>
          )
        )}
        <main className="flex min-w-0 flex-1 flex-col">
          <Outlet />
        </main>
      </div>
      <ChatSearch onNavigate={closeSheet} />
      <Suspense>
        <Toaster theme={theme} />
      </Suspense>
    </Tooltip.Provider>
  );
}
