import { Later } from "@/components/Later";
import { Sheet } from "@/components/ui/sheet";
import { loadMarkdown } from "@/features/chat/loadMarkdown";
import { ChatSearch } from "@/features/history/ChatSearch";
import { listQuery } from "@/features/history/listQuery";
import { openSearch } from "@/features/history/searchOpen";
import { foldersQuery } from "@/features/history/useFolders";
import { isModelPickerOpen } from "@/features/models/modelPicker";
import { modelsQuery } from "@/features/models/useModels";
import { LOOSE } from "@/lib/api/history";
import { queryClient } from "@/lib/queryClient";
import { whenIdle } from "@/lib/whenIdle";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Sidebar } from "./Sidebar";
import { useShortcuts } from "./useShortcuts";
import { useSidebar } from "./useSidebar";

/** Asks for what the frame and most pages will show, before there is anything to show it in. */
export function readAhead(): void {
  void queryClient.prefetchQuery(modelsQuery);
  void queryClient.prefetchQuery(foldersQuery);
  void queryClient.prefetchInfiniteQuery(listQuery(LOOSE)).then(readMarkdownAhead);
}

/** Who has chats will open one. */
function readMarkdownAhead(): void {
  const list = queryClient.getQueryData(listQuery(LOOSE).queryKey);
  if (list?.pages[0]?.chats.length) whenIdle(() => void loadMarkdown().catch(() => undefined));
}

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
          <Sidebar />
        </Sheet>
      ) : (
        isOpen && (
          <aside aria-label={t("sidebar")} className="w-68 shrink-0 border-e bg-sidebar">
            <Later>
              <Sidebar />
            </Later>
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
