import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { useTranslation } from "react-i18next";
import type { Danger } from "./useCommands";

interface ConfirmCommandProps {
  danger: Danger | undefined;
  onConfirm: () => void;
  onClose: () => void;
}

const KEYS = {
  clear: ["confirmClear", "confirmClearWhat", "confirmClearDo"],
  delete: ["confirmDelete", "confirmDeleteWhat", "confirmDeleteDo"],
  purge: ["confirmPurge", "confirmPurgeWhat", "confirmPurgeDo"],
} as const;

export function ConfirmCommand({ danger, onConfirm, onClose }: ConfirmCommandProps) {
  const { t } = useTranslation("composer");
  if (!danger) return null;
  const [title, description, label] = KEYS[danger];
  return (
    <ConfirmDialog
      isOpen
      onClose={onClose}
      onConfirm={onConfirm}
      title={t(title)}
      description={t(description)}
      confirmLabel={t(label)}
    />
  );
}
