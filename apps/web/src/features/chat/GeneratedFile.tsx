import type { FileUIPart } from "ai";
import { useTranslation } from "react-i18next";
import { Picture } from "./Picture";

/** What the model has drawn; anything but a picture is to be saved. */
export function GeneratedFile({ file }: { file: FileUIPart }) {
  const { t } = useTranslation("chat");
  if (!file.mediaType.startsWith("image/")) {
    return (
      <a href={file.url} download data-testid="message-file" className="underline">
        {t("downloadFile")}
      </a>
    );
  }
  return (
    <div className="my-3">
      <Picture
        src={file.url}
        alt={t("generatedImage")}
        testId="message-image"
        className="max-h-128"
      />
    </div>
  );
}
