import { Sheet } from "@/components/ui/sheet";
import { isModelPickerOpen } from "@/features/models/modelPicker";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Sidebar } from "./Sidebar";
import { useShortcuts } from "./useShortcuts";
import { useSidebar } from "./useSidebar";

/** The sidebar, docked or as a sheet, beside the page. */
export function Frame() {
  const { isNarrow, isOpen, setOpen, toggle } = useSidebar();
  const navigate = useNavigate();
  useShortcuts({
    toggleSidebar: toggle,
    newChat: () => void navigate({ to: "/" }),
    chooseModel: () => isModelPickerOpen.set(true),
  });

  return (
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
  );
}
