import { useState } from "react";
import { useTranslation } from "react-i18next";

interface AnnouncerProps {
  isBusy: boolean;
  /** A call of a tool waits to be allowed or denied. */
  isAsking: boolean;
}

/** Tells screen readers when an answer begins and ends, instead of reading every token. */
export function Announcer({ isBusy, isAsking }: AnnouncerProps) {
  const { t } = useTranslation("chat");
  const [hasBeenBusy, setHasBeenBusy] = useState(isBusy);
  if (isBusy && !hasBeenBusy) setHasBeenBusy(true);

  function news(): string {
    if (isBusy) return t("answering");
    if (isAsking) return t("asking");
    return hasBeenBusy ? t("answerComplete") : "";
  }
  return (
    <p role="status" className="sr-only">
      {news()}
    </p>
  );
}
