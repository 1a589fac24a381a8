import { IconButton } from "@/components/ui/iconButton";
import type { DocumentKind } from "@/lib/api/documents";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { SaveStatus } from "./autosave";
import { KIND_ICONS } from "./kinds";

interface PanelHeaderProps {
  title: string;
  kind: DocumentKind;
  status: SaveStatus | "loading" | "writing" | "readonly";
  onClose: () => void;
  children: ReactNode;
}

export function PanelHeader({ title, kind, status, onClose, children }: PanelHeaderProps) {
  const { t } = useTranslation("artifact");
  const Icon = KIND_ICONS[kind];
  return (
    <header className="flex min-h-14 shrink-0 items-center gap-1 border-b ps-4 pe-2">
      <Icon aria-hidden="true" className="size-4 shrink-0 text-accent-text" />
      <div className="min-w-0 flex-1 px-2">
        <h2 className="truncate text-sm font-medium">{title}</h2>
        <p
          role="status"
          data-testid="artifact-status"
          className={`text-xs ${status === "failed" ? "text-danger" : "text-muted-foreground"}`}
        >
          {t(`status.${status}`)}
        </p>
      </div>
      {children}
      <IconButton
        label={t("close")}
        shortcut="Esc"
        data-testid="artifact-close-button"
        className="pointer-coarse:size-11"
        onClick={onClose}
      >
        <X className="size-[18px]" />
      </IconButton>
    </header>
  );
}
