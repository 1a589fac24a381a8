import { Sheet } from "@/components/ui/sheet";
import { ChatSearch } from "@/features/history/ChatSearch";
import { openSearch } from "@/features/history/searchOpen";
import { isModelPickerOpen } from "@/features/models/modelPicker";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Suspense, lazy } from "react";
import { useTranslation } from "react-i18next";
import { useShortcuts } from "./useShortcuts";
import { useSidebar } from "./useSidebar";

// Asked for at once, beside the page itself: neither waits for the other.
const sidebar = import("./Sidebar");
const Sidebar = lazy(async () => ({ default: (await sidebar).Sidebar }));

/** The sidebar, docked or as a sheet, beside the page. */
export function Frame() {
  const { isNarrow, isOpen, setOpen, toggle, closeSheet } = useSidebar();
  const navigate = useNavigate();
  const { t } = useTranslation("history");
  useShortcuts({
    search: openSearch,
    toggleSidebar: toggle,
    newChat: () => void navigate({ to: "/" }),
    chooseModel: () => isModelPickerOpen.set(true),
  });

  return (
    <div className="flex h-dvh overflow-hidden">
      {isNarrow ? (
        <Sheet isOpen={isOpen} onOpenChange={setOpen} label={t("sidebar")}>
          <Suspense>
            <Sidebar />
          </Suspense>
        </Sheet>
      ) : (
        isOpen && (
          <aside aria-label={t("sidebar")} className="w-68 shrink-0 border-e bg-sidebar">
            <Suspense>
              <Sidebar />
            </Suspense>
          </aside>
        )
      )}
      <main className="flex min-w-0 flex-1 flex-col">
        <Outlet />
      </main>
      <ChatSearch onNavigate={closeSheet} />
    </div>
  );
}
