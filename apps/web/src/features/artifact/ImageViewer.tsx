import { useTranslation } from "react-i18next";
import { imageUrl } from "./imageUrl";

export default function ImageViewer({ title, content }: { title: string; content: string }) {
  const { t } = useTranslation("artifact");
  const url = imageUrl(content);
  return (
    <div className="flex min-h-0 flex-1 items-center justify-center overflow-auto p-6">
      {url ? (
        <img src={url} alt={title} data-testid="artifact-image" className="max-h-full max-w-full" />
      ) : (
        <p role="alert">{t("image.unknown")}</p>
      )}
    </div>
  );
}
