import { IconButton } from "@/components/ui/iconButton";
import { cn } from "@/lib/classNames";
import { FileText, LoaderCircle, RotateCcw, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type Attachment, isImage } from "./attachment";

interface AttachmentPreviewProps {
  attachment: Attachment;
  onRemove: () => void;
  onRetry: () => void;
}

export function AttachmentPreview({ attachment, onRemove, onRetry }: AttachmentPreviewProps) {
  const { t } = useTranslation("composer");
  const { name, state, reason } = attachment;
  return (
    <li
      data-testid="input-attachment-preview"
      className={cn(
        "relative flex max-w-64 min-w-0 items-center gap-2 rounded-xl border p-1.5 text-[13px]",
        state === "failed" && "border-danger",
      )}
    >
      <Thumbnail attachment={attachment} />
      <span className="min-w-0 flex-1">
        <span className="block truncate" title={name}>
          {name}
        </span>
        {state === "failed" && (
          <span role="alert" className="line-clamp-3 text-xs text-danger">
            {reason}
          </span>
        )}
      </span>
      {state === "failed" && (
        <IconButton size="iconSmall" label={t("retryUpload", { name })} onClick={onRetry}>
          <RotateCcw className="size-3.5" />
        </IconButton>
      )}
      <IconButton size="iconSmall" label={t("removeFile", { name })} onClick={onRemove}>
        <X className="size-3.5" />
      </IconButton>
    </li>
  );
}

function Thumbnail({ attachment }: { attachment: Attachment }) {
  const { t } = useTranslation("composer");
  const { name, mediaType, previewUrl, state, progress } = attachment;
  return (
    <span className="relative flex size-10 shrink-0 items-center justify-center overflow-hidden rounded-lg bg-muted">
      {previewUrl && isImage(mediaType) ? (
        <img src={previewUrl} alt="" className="size-full object-cover" />
      ) : (
        <FileText className="size-5 text-muted-foreground" />
      )}
      {state === "uploading" && (
        <span
          role="progressbar"
          aria-label={t("uploading", { name })}
          aria-valuenow={Math.round(progress * 100)}
          aria-valuemin={0}
          aria-valuemax={100}
          data-testid="input-attachment-loader"
          className="absolute inset-0 flex items-center justify-center bg-surface/70"
        >
          <LoaderCircle className="size-5 animate-spin" />
        </span>
      )}
    </span>
  );
}
