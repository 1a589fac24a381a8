import { i18n } from "@/lib/i18n";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";

/** Names of columns and events as people say them; what is not known here, as the run says it. */
export function useRunWords() {
  const { t } = useTranslation("runs");
  const words = useCallback(
    (kind: "columns" | "events", name: string) =>
      i18n.exists(`runs:${kind}.${name}`)
        ? String(t(`${kind}.${name}` as "columns.loss"))
        : name.replaceAll("_", " "),
    [t],
  );
  const eventName = useCallback((name: string) => words("events", name), [words]);
  const columnName = useCallback((name: string) => words("columns", name), [words]);
  return { eventName, columnName };
}
