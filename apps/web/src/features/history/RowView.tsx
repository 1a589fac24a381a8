import { Button } from "@/components/ui/button";
import { useTranslation } from "react-i18next";
import { ChatCheckbox } from "./ChatCheckbox";
import { ChatRow } from "./ChatRow";
import { FolderRow } from "./FolderRow";
import { LoadingRows } from "./LoadingRows";
import { TitleField } from "./TitleField";
import { type RowMode, useList } from "./listContext";
import type { Row } from "./rows";

interface RowViewProps {
  row: Row;
  isActive: boolean;
  isTabStop: boolean;
  mode: RowMode["kind"] | undefined;
  /** Undefined while chats are not being chosen. */
  isChosen: boolean | undefined;
  onRetry: () => void;
}

const HEADING_CLASSES =
  "flex h-full items-end px-2.5 pb-1.5 text-xs font-medium text-muted-foreground";
const QUIET_CLASSES = "flex h-full items-center px-2.5 text-sm text-muted-foreground";

export function RowView(props: RowViewProps) {
  const { row, isActive, isTabStop, mode, isChosen, onRetry } = props;
  const { t } = useTranslation("history");
  switch (row.kind) {
    case "foldersHeading":
      return <h2 className={HEADING_CLASSES}>{t("folders")}</h2>;
    case "heading":
      return <h2 className={HEADING_CLASSES}>{t(row.recency)}</h2>;
    case "newFolder":
      return <NewFolder />;
    case "folder":
      return <FolderRow folder={row.folder} isOpen={row.isOpen} {...{ isTabStop, mode }} />;
    case "chat":
      return isChosen === undefined ? (
        <ChatRow chat={row.chat} isFiled={row.isFiled} {...{ isActive, isTabStop, mode }} />
      ) : (
        <ChatCheckbox chat={row.chat} isFiled={row.isFiled} {...{ isChosen, isTabStop }} />
      );
    case "empty":
      return (
        <p className={row.folderId === null ? QUIET_CLASSES : `${QUIET_CLASSES} ps-8`}>
          {row.folderId === null ? t("empty") : t("emptyFolder")}
        </p>
      );
    case "ending":
      return row.ending === "failed" ? <Failed onRetry={onRetry} /> : <LoadingRows />;
  }
}

function NewFolder() {
  const { t } = useTranslation("history");
  const { finishFolder } = useList();
  return (
    <TitleField
      label={t("folderName")}
      title=""
      onCancel={() => finishFolder(null)}
      onSave={finishFolder}
    />
  );
}

function Failed({ onRetry }: { onRetry: () => void }) {
  const { t } = useTranslation(["history", "common"]);
  return (
    <div className="flex flex-col items-start gap-2 px-2.5 py-2 text-sm text-muted-foreground">
      {t("failed")}
      <Button size="small" onClick={onRetry}>
        {t("common:tryAgain")}
      </Button>
    </div>
  );
}
