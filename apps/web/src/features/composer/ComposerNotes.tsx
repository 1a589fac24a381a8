import type { Model } from "@/lib/api/models";
import { useOnline } from "@/lib/useOnline";
import { EyeOff, PenLine, WifiOff } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Attachment, isImage } from "./attachment";

interface ComposerNotesProps {
  model: Model | undefined;
  attachments: Attachment[];
}

/** What one should know before writing: no network, no chat, or no eyes for the images. */
export function ComposerNotes({ model, attachments }: ComposerNotesProps) {
  const { t } = useTranslation("composer");
  const isOnline = useOnline();
  const isBlind = model?.capabilities.vision === false;
  return (
    <div role="status" className="flex flex-col items-center">
      {!isOnline && <Note icon={<WifiOff className="size-3.5 shrink-0" />}>{t("offline")}</Note>}
      {model?.isChat === false && (
        <Note icon={<PenLine className="size-3.5 shrink-0" />}>{t("plainCompletion")}</Note>
      )}
      {isBlind && attachments.some(({ mediaType }) => isImage(mediaType)) && (
        <Note icon={<EyeOff className="size-3.5 shrink-0" />}>
          {t("imagesUnseen", { model: model.name })}
        </Note>
      )}
    </div>
  );
}

function Note({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <p className="mb-2.5 flex items-center gap-2 rounded-2xl bg-accent-soft px-3.5 py-1.5 text-[13px] text-accent-text">
      {icon}
      {children}
    </p>
  );
}
