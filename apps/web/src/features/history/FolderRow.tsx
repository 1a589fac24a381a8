import { MenuItem } from "@/components/ui/menu";
import type { Folder } from "@/lib/api/folders";
import { cn } from "@/lib/classNames";
import { ChevronRight, Folder as FolderIcon, FolderOpen, Pencil, Trash2 } from "lucide-react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { RowMenu } from "./RowMenu";
import { TitleField } from "./TitleField";
import { type RowMode, useList } from "./listContext";
import { folderKey } from "./rows";
import { toggleFolder } from "./useFolders";

interface FolderRowProps {
  folder: Folder;
  isOpen: boolean;
  isTabStop: boolean;
  mode: RowMode["kind"] | undefined;
}

export const FolderRow = memo(function FolderRow(props: FolderRowProps) {
  const { folder, isOpen, isTabStop, mode } = props;
  const { t } = useTranslation("history");
  const { renameFolder, removeFolder, setMode, focus } = useList();
  const key = folderKey(folder.id);

  function end(): void {
    setMode(null);
    focus(key);
  }

  if (mode === "renaming") {
    return (
      <TitleField
        label={t("folderName")}
        title={folder.name}
        onCancel={end}
        onSave={(name) => {
          renameFolder({ ...folder, name });
          end();
        }}
      />
    );
  }
  return (
    <div className="group/row relative h-full rounded-lg transition-colors hover:bg-muted has-data-[state=open]:bg-muted">
      <button
        type="button"
        data-key={key}
        tabIndex={isTabStop ? 0 : -1}
        aria-expanded={isOpen}
        aria-keyshortcuts="F2 Delete"
        title={folder.name}
        onClick={() => toggleFolder(folder.id)}
        className="flex h-full w-full items-center gap-2 rounded-lg ps-2 pe-9 text-sm pointer-coarse:pe-11"
      >
        <ChevronRight
          className={cn(
            "size-3.5 shrink-0 text-muted-foreground transition-transform rtl:-scale-x-100",
            isOpen && "rotate-90",
          )}
        />
        {isOpen ? (
          <FolderOpen className="size-4 shrink-0 text-muted-foreground" />
        ) : (
          <FolderIcon className="size-4 shrink-0 text-muted-foreground" />
        )}
        <span className="truncate">{folder.name}</span>
      </button>
      <RowMenu rowKey={key} name={folder.name} isOpen={mode === "menu"} isTabStop={isTabStop}>
        <MenuItem onSelect={() => setMode({ key, kind: "renaming" })}>
          <Pencil />
          {t("rename")}
        </MenuItem>
        <MenuItem onSelect={() => removeFolder(folder)} className="text-danger [&_svg]:text-danger">
          <Trash2 />
          {t("deleteFolder")}
        </MenuItem>
      </RowMenu>
    </div>
  );
});
