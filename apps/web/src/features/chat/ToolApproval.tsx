import { Button } from "@/components/ui/button";
import { useTranslation } from "react-i18next";
import { useMessageDeeds } from "./deeds";
import { JsonBlock } from "./JsonBlock";

/** A call that waits for a person: with these arguments, or not at all. */
export function ToolApproval({ approvalId, input }: { approvalId: string; input: unknown }) {
  const { t } = useTranslation("chat");
  const deeds = useMessageDeeds();
  return (
    <div data-testid="tool-approval" className="flex flex-col gap-3 border-t px-3.5 py-3">
      <p>{t("mayRun")}</p>
      <JsonBlock label={t("input")} value={input} />
      {deeds && (
        <div className="flex gap-2">
          <Button
            size="small"
            variant="primary"
            className="pointer-coarse:h-11"
            onClick={() => deeds.decide(approvalId, true)}
          >
            {t("allow")}
          </Button>
          <Button
            size="small"
            className="pointer-coarse:h-11"
            onClick={() => deeds.decide(approvalId, false)}
          >
            {t("deny")}
          </Button>
        </div>
      )}
    </div>
  );
}
