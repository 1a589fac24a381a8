import { IconButton } from "@/components/ui/iconButton";
import type { DocumentKind } from "@/lib/api/documents";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy, Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import { downloadDocument } from "./download";

interface ActionsProps {
  kind: DocumentKind;
  title: string;
  content: string;
}

export function Actions({ kind, title, content }: ActionsProps) {
  const { t } = useTranslation("artifact");
  const { isCopied, copy } = useCopy();
  return (
    <>
      {kind !== "image" && (
        <IconButton
          label={isCopied ? t("copied") : t("copy")}
          className="pointer-coarse:size-11"
          onClick={() => void copy(content)}
        >
          {isCopied ? <Check className="size-4" /> : <Copy className="size-4" />}
        </IconButton>
      )}
      <IconButton
        label={t("download")}
        className="pointer-coarse:size-11"
        onClick={() => downloadDocument(kind, title, content)}
      >
        <Download className="size-4" />
      </IconButton>
    </>
  );
}
