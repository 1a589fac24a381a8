import type { MessageMetadata } from "@/lib/api/messages";
import { ChevronLeft, ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ActionButton } from "./ActionButton";
import { useMessageDeeds } from "./deeds";

/** ‹ 2/3 ›: the other messages that stand in this one's place. */
export function BranchSwitch({ metadata }: { metadata: MessageMetadata | undefined }) {
  const { t } = useTranslation("chat");
  const deeds = useMessageDeeds();
  const { siblings = [], siblingIndex = 0 } = metadata ?? {};
  if (!deeds || siblings.length < 2) return null;

  function step(label: string, place: number, icon: ReactNode) {
    const sibling = siblings[place];
    return (
      <ActionButton
        label={label}
        disabled={!sibling}
        className="disabled:bg-transparent disabled:opacity-40 pointer-coarse:size-11"
        onClick={() => sibling && deeds?.switchTo(sibling)}
      >
        {icon}
      </ActionButton>
    );
  }
  return (
    <div role="group" aria-label={t("versions")} className="flex items-center">
      {step(t("previousVersion"), siblingIndex - 1, <ChevronLeft className="size-4" />)}
      <span className="text-xs text-muted-foreground tabular-nums">
        {siblingIndex + 1}/{siblings.length}
      </span>
      {step(t("nextVersion"), siblingIndex + 1, <ChevronRight className="size-4" />)}
    </div>
  );
}
