import { IconButton } from "@/components/ui/iconButton";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { Archive, ArrowLeft, Ellipsis, FolderPlus, ListChecks, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";

interface ListBarProps {
  isArchive: boolean;
  onArchive: (isArchive: boolean) => void;
  onNewFolder: () => void;
  onSelect: () => void;
  onDeleteAll: () => void;
}

/** What list this is, and what can be done with all of it. */
export function ListBar(props: ListBarProps) {
  const { isArchive, onArchive, onNewFolder, onSelect, onDeleteAll } = props;
  const { t } = useTranslation("history");
  return (
    <div className="flex h-10 shrink-0 items-center gap-1 ps-5.5 pe-2.5">
      {isArchive && (
        <IconButton
          label={t("backToChats")}
          size="iconSmall"
          className="-ms-2.5"
          onClick={() => onArchive(false)}
        >
          <ArrowLeft className="size-4 rtl:-scale-x-100" />
        </IconButton>
      )}
      <span className="flex-1 text-sm font-medium">{isArchive ? t("archived") : t("chats")}</span>
      <Menu>
        <MenuTrigger
          aria-label={t("listOptions")}
          className="flex size-8 items-center justify-center rounded-lg text-muted-foreground transition-colors hover:bg-muted hover:text-foreground data-[state=open]:bg-muted pointer-coarse:size-11"
        >
          <Ellipsis className="size-4" />
        </MenuTrigger>
        <MenuContent align="end" onCloseAutoFocus={keepNewFocus}>
          {!isArchive && (
            <MenuItem onSelect={onNewFolder}>
              <FolderPlus />
              {t("newFolder")}
            </MenuItem>
          )}
          <MenuItem onSelect={onSelect}>
            <ListChecks />
            {t("selectChats")}
          </MenuItem>
          {!isArchive && (
            <MenuItem onSelect={() => onArchive(true)}>
              <Archive />
              {t("archived")}
            </MenuItem>
          )}
          <MenuSeparator />
          <MenuItem onSelect={onDeleteAll} className="text-danger [&_svg]:text-danger">
            <Trash2 />
            {t("deleteAll")}
          </MenuItem>
        </MenuContent>
      </Menu>
    </div>
  );
}

/** Closing must not take the focus back from the field or dialog that the choice opened. */
function keepNewFocus(event: Event): void {
  if (document.activeElement !== document.body) event.preventDefault();
}
