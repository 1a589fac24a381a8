import { RayMark } from "@/components/RayMark";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { loadMarkdown } from "./loadMarkdown";
import { useDelayed } from "./useDelayed";

const LONG_WAIT_MS = 9_000;

/** Stands where the answer will be until its first words arrive. */
export function Waiting({ isReconnecting }: { isReconnecting: boolean }) {
  const { t } = useTranslation("chat");
  const isLong = useDelayed(LONG_WAIT_MS);
  useEffect(() => void loadMarkdown(), []); // there before the words are
  const waitingLabel = isLong ? t("stillWaiting") : t("waiting");
  return (
    <div data-testid="message-assistant-loading" className="flex items-center gap-2.5 py-1 text-sm">
      <RayMark isActive className="size-5" />
      <span className="text-shimmer">{isReconnecting ? t("reconnecting") : waitingLabel}</span>
    </div>
  );
}
