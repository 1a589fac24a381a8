import {
  MenuItem,
  MenuSeparator,
  MenuSub,
  MenuSubContent,
  MenuSubTrigger,
} from "@/components/ui/menu";
import type { ChatSummary } from "@/lib/api/history";
import { Archive, ArchiveRestore, FolderInput, ListChecks, Pencil, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { MoveItems } from "./MoveItems";
import { useList } from "./listContext";

export function ChatMenu({ chat }: { chat: ChatSummary }) {
  const { t } = useTranslation("history");
  const { edit, remove, select, setMode } = useList();
  return (
    <>
      <MenuItem onSelect={() => setMode({ key: chat.id, kind: "renaming" })}>
        <Pencil />
        {t("rename")}
      </MenuItem>
      <MenuSub>
        <MenuSubTrigger>
          <FolderInput />
          {t("move")}
        </MenuSubTrigger>
        <MenuSubContent>
          <MoveItems chats={[chat]} />
        </MenuSubContent>
      </MenuSub>
      <MenuItem onSelect={() => edit([chat], { isArchived: !chat.isArchived })}>
        {chat.isArchived ? <ArchiveRestore /> : <Archive />}
        {chat.isArchived ? t("unarchive") : t("archive")}
      </MenuItem>
      <MenuItem onSelect={() => select(chat.id, "one")}>
        <ListChecks />
        {t("select")}
      </MenuItem>
      <MenuSeparator />
      <MenuItem onSelect={() => remove([chat])} className="text-danger [&_svg]:text-danger">
        <Trash2 />
        {t("delete")}
      </MenuItem>
    </>
  );
}
