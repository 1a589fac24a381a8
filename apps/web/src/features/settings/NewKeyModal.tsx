import { Button } from "@/components/ui/button";
import { Modal } from "@/components/ui/modal";
import { useCopy } from "@/lib/useCopy";
import { Check, Copy } from "lucide-react";
import { useTranslation } from "react-i18next";

/** Shows a key this once. */
export function NewKeyModal({ apiKey, onClose }: { apiKey: string; onClose: () => void }) {
  const { t } = useTranslation("settings");
  const { isCopied, copy } = useCopy();
  return (
    <Modal isOpen onClose={onClose} title={t("newKey")} description={t("newKeyWhat")}>
      <code
        data-testid="new-api-key"
        className="block rounded-xl border bg-muted p-3 font-mono text-sm break-all select-all"
      >
        {apiKey}
      </code>
      <div className="mt-4 flex justify-end gap-2">
        <Button className="pointer-coarse:h-11" onClick={() => void copy(apiKey)}>
          {isCopied ? <Check className="size-4" /> : <Copy className="size-4" />}
          {isCopied ? t("copied") : t("copy")}
        </Button>
        <Button variant="primary" className="pointer-coarse:h-11" onClick={onClose}>
          {t("done")}
        </Button>
      </div>
    </Modal>
  );
}
