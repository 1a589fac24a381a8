import { MenuItem, MenuSeparator } from "@/components/ui/menu";
import type { ChatSummary } from "@/lib/api/history";
import { Folder, FolderMinus, FolderPlus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useList } from "./listContext";
import { useFolders } from "./useFolders";

/** Where chats can be put, as items of a menu. */
export function MoveItems({ chats }: { chats: ChatSummary[] }) {
  const { t } = useTranslation("history");
  const { edit, startFolder } = useList();
  const folders = useFolders();
  const isIn = (folderId: string | null) => chats.every((chat) => chat.folderId === folderId);
  return (
    <>
      {folders.map((folder) => (
        <MenuItem
          key={folder.id}
          disabled={isIn(folder.id)}
          onSelect={() => edit(chats, { folderId: folder.id })}
        >
          <Folder />
          <span className="max-w-56 truncate">{folder.name}</span>
        </MenuItem>
      ))}
      {!isIn(null) && (
        <MenuItem onSelect={() => edit(chats, { folderId: null })}>
          <FolderMinus />
          {t("noFolder")}
        </MenuItem>
      )}
      {(folders.length > 0 || !isIn(null)) && <MenuSeparator />}
      <MenuItem onSelect={() => startFolder(chats)}>
        <FolderPlus />
        {t("newFolder")}
      </MenuItem>
    </>
  );
}
