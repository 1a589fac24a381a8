import { ConfirmDialog } from "@/components/ui/confirmDialog";
import type { Folder } from "@/lib/api/folders";
import { useTranslation } from "react-i18next";
import { useDeleteAllChats } from "./useEdits";
import { useDeleteFolder } from "./useFolders";

interface ListDialogsProps {
  doomedFolder: Folder | null;
  onFolderDone: () => void;
  isDeletingAll: boolean;
  onAllDone: () => void;
  onAllDeleted: () => void;
}

/** What is asked before something that cannot be undone. */
export function ListDialogs(props: ListDialogsProps) {
  const { doomedFolder, onFolderDone, isDeletingAll, onAllDone, onAllDeleted } = props;
  const { t } = useTranslation("history");
  const deleteFolder = useDeleteFolder();
  const deleteAll = useDeleteAllChats();
  return (
    <>
      <ConfirmDialog
        isOpen={doomedFolder !== null}
        onClose={onFolderDone}
        onConfirm={() => doomedFolder && deleteFolder(doomedFolder)}
        title={t("deleteFolderQuestion", { name: doomedFolder?.name })}
        description={t("deleteFolderMeans")}
        confirmLabel={t("deleteFolder")}
      />
      <ConfirmDialog
        isOpen={isDeletingAll}
        onClose={onAllDone}
        onConfirm={() => {
          deleteAll();
          onAllDeleted();
        }}
        title={t("deleteAllQuestion")}
        description={t("deleteAllMeans")}
        confirmLabel={t("deleteAllConfirm")}
      />
    </>
  );
}
