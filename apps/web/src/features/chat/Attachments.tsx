import type { FileUIPart } from "ai";
import { FileText } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Picture } from "./Picture";

/** What was given with a question: pictures to look at, other files to open. */
export function Attachments({ files }: { files: FileUIPart[] }) {
  const { t } = useTranslation("chat");
  if (files.length === 0) return null;
  return (
    <ul
      data-testid="message-attachments"
      aria-label={t("attachments")}
      className="mb-2 flex max-w-[85%] flex-wrap justify-end gap-2"
    >
      {files.map((file) => (
        <li key={file.url} className="max-w-full">
          {file.mediaType.startsWith("image/") ? (
            <Picture
              src={file.url}
              alt={file.filename || t("attachedImage")}
              className="max-h-48 max-w-60"
            />
          ) : (
            <a
              href={file.url}
              target="_blank"
              rel="noreferrer noopener"
              className="flex items-center gap-2 rounded-xl border px-3 py-2 text-sm pointer-coarse:py-3"
            >
              <FileText className="size-4 shrink-0 text-muted-foreground" />
              <span className="truncate">{file.filename || t("attachedFile")}</span>
            </a>
          )}
        </li>
      ))}
    </ul>
  );
}
