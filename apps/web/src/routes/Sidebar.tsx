import { Later } from "@/components/Later";
import { RayMark } from "@/components/RayMark";
import { Button } from "@/components/ui/button";
import { IconButton } from "@/components/ui/iconButton";
import { HistoryList } from "@/features/history/HistoryList";
import { LoadingRows } from "@/features/history/LoadingRows";
import { openSearch } from "@/features/history/searchOpen";
import { UserMenu } from "@/features/session/UserMenu";
import { ThemeMenuItems } from "@/features/theme/ThemeMenuItems";
import { MOD_KEY } from "@/lib/modKey";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { PanelLeft, Search, SquarePen } from "lucide-react";
import { useTranslation } from "react-i18next";
import { PageLinks } from "./PageLinks";
import { useSidebar } from "./useSidebar";

export function Sidebar() {
  const { chatId } = useParams({ strict: false });
  const { toggle, closeSheet } = useSidebar();
  const { t } = useTranslation("history");
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
          label={t("closeSidebar")}
          shortcut={`${MOD_KEY} B`}
          data-testid="sidebar-toggle-button"
          onClick={toggle}
        >
          <PanelLeft className="size-[18px]" />
        </IconButton>
      </div>
      <div className="flex gap-1.5 ps-3 pe-2.5 pt-1 pb-2">
        <Button className="flex-1 justify-start pointer-coarse:h-11" onClick={startChat}>
          <SquarePen className="size-4 text-muted-foreground" />
          {t("newChat")}
        </Button>
        <IconButton
          label={t("search")}
          shortcut={`${MOD_KEY} K`}
          className="pointer-coarse:size-11"
          onClick={openSearch}
        >
          <Search className="size-[18px]" />
        </IconButton>
      </div>
      <Later before={<LoadingRows className="flex-1 px-5.5" />}>
        <HistoryList
          activeChatId={chatId}
          onNavigate={closeSheet}
          onDeleted={(deleted) => chatId && deleted.includes(chatId) && startChat()}
        />
      </Later>
      <div className="border-t p-2">
        <UserMenu>
          <PageLinks />
          <ThemeMenuItems />
        </UserMenu>
      </div>
    </div>
  );
}
