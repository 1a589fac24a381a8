import { IconButton } from "@/components/ui/iconButton";
import { MOD_KEY } from "@/lib/modKey";
import { PanelLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSidebar } from "./useSidebar";

/** In the header of a page, while the sidebar is hidden. */
export function OpenSidebar() {
  const { t } = useTranslation("common");
  const { isOpen, toggle } = useSidebar();
  if (isOpen) return null;
  return (
    <IconButton
      label={t("openSidebar")}
      shortcut={`${MOD_KEY} B`}
      data-testid="sidebar-toggle-button"
      onClick={toggle}
    >
      <PanelLeft className="size-[18px]" />
    </IconButton>
  );
}
