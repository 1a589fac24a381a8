import { useCopy } from "@/lib/useCopy";
import { Check, Copy } from "lucide-react";
import { type ComponentProps, useRef } from "react";
import { useTranslation } from "react-i18next";
import { extractTableDataFromElement, tableDataToTSV } from "streamdown";
import { ActionButton } from "./ActionButton";

/** Wide tables scroll in their own frame; a copy pastes into spreadsheets. Where nothing hovers, its
 * button has a row of its own. */
export function Table({ children }: ComponentProps<"table">) {
  const { t } = useTranslation("chat");
  const table = useRef<HTMLTableElement>(null);
  const { isCopied, copy } = useCopy();

  function copyTable(): void {
    if (table.current) void copy(tableDataToTSV(extractTableDataFromElement(table.current)));
  }

  return (
    <figure className="group/table relative my-5 rounded-xl border pointer-coarse:pb-11">
      <div
        role="region"
        aria-label={t("table")}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls by keyboard
        tabIndex={0}
        className="scrollbar-quiet overflow-x-auto rounded-xl"
      >
        <table ref={table}>{children}</table>
      </div>
      <ActionButton
        label={isCopied ? t("copied") : t("copyTable")}
        onClick={copyTable}
        className="absolute end-1 top-1 bg-background opacity-0 group-focus-within/table:opacity-100 group-hover/table:opacity-100 pointer-coarse:top-auto pointer-coarse:bottom-0 pointer-coarse:opacity-100"
      >
        {isCopied ? <Check className="size-3.5" /> : <Copy className="size-3.5" />}
      </ActionButton>
    </figure>
  );
}
