import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { IconButton } from "@/components/ui/iconButton";
import type { DocumentVersion } from "@/lib/api/documents";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { VersionChoice } from "./useVersionChoice";

interface VersionBarProps {
  choice: VersionChoice;
  note: string | undefined;
  onRestore: (version: DocumentVersion) => Promise<void>;
}

/** Back and forth between versions, what one has changed, and going back to it for good. */
export function VersionBar({ choice, note, onRestore }: VersionBarProps) {
  const { t } = useTranslation("artifact");
  const [isAsking, setIsAsking] = useState(false);
  const { version, number, count, isNewest } = choice;
  if (!version || (count < 2 && !note)) return null;

  return (
    <div className="flex flex-wrap items-center gap-1 border-b px-3 py-1 text-sm text-muted-foreground">
      <IconButton
        size="iconSmall"
        label={t("versions.older")}
        disabled={!choice.older}
        onClick={choice.older}
      >
        <ChevronLeft className="size-4 rtl:rotate-180" />
      </IconButton>
      <span data-testid="artifact-version" role="status" className="tabular-nums">
        {t("versions.position", { number, count })}
      </span>
      <IconButton
        size="iconSmall"
        label={t("versions.newer")}
        disabled={!choice.newer}
        onClick={choice.newer}
      >
        <ChevronRight className="size-4 rtl:rotate-180" />
      </IconButton>
      <Button
        variant="ghost"
        size="small"
        aria-pressed={choice.compared !== undefined}
        disabled={!choice.toggleChanges}
        onClick={choice.toggleChanges}
      >
        {t("versions.changes")}
      </Button>
      {!isNewest && (
        <>
          <Button variant="ghost" size="small" onClick={() => setIsAsking(true)}>
            {t("versions.restore")}
          </Button>
          <Button variant="ghost" size="small" onClick={choice.showNewest}>
            {t("versions.latest")}
          </Button>
        </>
      )}
      {note && (
        <p role="alert" className="basis-full px-1 pb-1 text-xs text-accent-text">
          {note}
        </p>
      )}
      <ConfirmDialog
        isOpen={isAsking}
        onClose={() => setIsAsking(false)}
        onConfirm={() => void onRestore(version).then(choice.showNewest)}
        title={t("restore.title")}
        description={t("restore.description", { count: count - number })}
        confirmLabel={t("versions.restore")}
      />
    </div>
  );
}
