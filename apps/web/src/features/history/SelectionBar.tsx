import { IconButton } from "@/components/ui/iconButton";
import { Menu, MenuContent, MenuTrigger } from "@/components/ui/menu";
import type { ChatSummary } from "@/lib/api/history";
import { Archive, ArchiveRestore, FolderInput, Trash2, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { MoveItems } from "./MoveItems";
import { useList } from "./listContext";

interface SelectionBarProps {
  chats: ChatSummary[];
  isArchive: boolean;
  onEnd: () => void;
}

/** What can be done with the chats that are chosen. */
export function SelectionBar({ chats, isArchive, onEnd }: SelectionBarProps) {
  const { t } = useTranslation("history");
  const { edit, remove } = useList();
  const isEmpty = chats.length === 0;
  return (
    <div
      role="toolbar"
      aria-label={t("selection")}
      className="flex h-10 shrink-0 items-center gap-0.5 ps-5.5 pe-2.5"
    >
      <span role="status" className="flex-1 truncate text-sm font-medium">
        {t("selected", { count: chats.length })}
      </span>
      <Menu>
        <MenuTrigger
          aria-label={t("move")}
          title={t("move")}
          disabled={isEmpty}
          className="flex size-8 items-center justify-center rounded-lg text-muted-foreground hover:bg-muted hover:text-foreground disabled:pointer-events-none disabled:opacity-50 pointer-coarse:size-11"
        >
          <FolderInput className="size-4" />
        </MenuTrigger>
        <MenuContent
          align="end"
          className="max-h-80 scrollbar-quiet overflow-y-auto"
          onCloseAutoFocus={(event) => event.preventDefault()}
        >
          <MoveItems chats={chats} />
        </MenuContent>
      </Menu>
      <IconButton
        label={isArchive ? t("unarchive") : t("archive")}
        size="iconSmall"
        disabled={isEmpty}
        onClick={() => edit(chats, { isArchived: !isArchive })}
      >
        {isArchive ? <ArchiveRestore className="size-4" /> : <Archive className="size-4" />}
      </IconButton>
      <IconButton
        label={t("delete")}
        size="iconSmall"
        disabled={isEmpty}
        onClick={() => remove(chats)}
      >
        <Trash2 className="size-4" />
      </IconButton>
      <IconButton label={t("endSelection")} size="iconSmall" onClick={onEnd}>
        <X className="size-4" />
      </IconButton>
    </div>
  );
}
