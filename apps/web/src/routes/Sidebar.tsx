import { RayMark } from "@/components/RayMark";
import { Button } from "@/components/ui/button";
import { IconButton } from "@/components/ui/iconButton";
import { HistoryList } from "@/features/history/HistoryList";
import { UserMenu } from "@/features/session/UserMenu";
import { ThemeMenuItems } from "@/features/theme/ThemeMenuItems";
import { MOD_KEY } from "@/lib/modKey";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { PanelLeft, SquarePen } from "lucide-react";
import { PageLinks } from "./PageLinks";
import { useSidebar } from "./useSidebar";

export function Sidebar() {
  const { chatId } = useParams({ strict: false });
  const { toggle, closeSheet } = useSidebar();
  const navigate = useNavigate();

  function startChat(): void {
    closeSheet();
    void navigate({ to: "/" });
  }

  return (
    <div className="flex h-full flex-col bg-sidebar">
      <div className="flex h-14 shrink-0 items-center justify-between ps-5 pe-2.5">
        <Link to="/" onClick={closeSheet} className="flex items-center gap-2 rounded-md">
          <RayMark className="size-[22px]" />
          <span className="font-semibold tracking-[-0.02em]">RayLM</span>
        </Link>
        <IconButton
          label="Close sidebar"
          shortcut={`${MOD_KEY} B`}
          data-testid="sidebar-toggle-button"
          onClick={toggle}
        >
          <PanelLeft className="size-[18px]" />
        </IconButton>
      </div>
      <div className="px-3 pt-1 pb-3">
        <Button className="w-full justify-start" onClick={startChat}>
          <SquarePen className="size-4 text-muted-foreground" />
          New chat
        </Button>
      </div>
      <HistoryList
        activeChatId={chatId}
        onNavigate={closeSheet}
        onDeleted={(deletedId) => deletedId === chatId && startChat()}
      />
      <div className="border-t p-2">
        <UserMenu>
          <PageLinks />
          <ThemeMenuItems />
        </UserMenu>
      </div>
    </div>
  );
}
