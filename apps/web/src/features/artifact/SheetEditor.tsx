import { Button } from "@/components/ui/button";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import {
  type Place,
  type Table,
  parseCsv,
  toCsv,
  withColumn,
  withRow,
  withoutColumn,
  withoutRow,
} from "./csv";
import type { DocumentBodyProps } from "./documentBodyProps";
import { SheetGrid } from "./SheetGrid";

const ACTIONS = {
  addRow: (table: Table, { row }: Place) => withRow(table, row + 1),
  addColumn: (table: Table, { column }: Place) => withColumn(table, column + 1),
  removeRow: (table: Table, { row }: Place) => withoutRow(table, row),
  removeColumn: (table: Table, { column }: Place) => withoutColumn(table, column),
};
const ACTION_NAMES = ["addRow", "addColumn", "removeRow", "removeColumn"] as const;

/** A table of CSV: cells by keyboard and mouse, rows and columns by the buttons above. */
export default function SheetEditor({ title, content, onEdit }: DocumentBodyProps) {
  const { t } = useTranslation("artifact");
  const [table, setTable] = useState(() => parseCsv(content));
  const [active, setActive] = useState<Place>({ row: 0, column: 0 });
  const known = useRef(content);

  useEffect(() => {
    if (content === known.current) return;
    known.current = content;
    setTable(parseCsv(content));
  }, [content]);

  function change(next: Table): void {
    if (!onEdit || next === table) return;
    known.current = toCsv(next);
    setTable(next);
    onEdit(known.current);
  }

  return (
    <>
      {onEdit && (
        <div
          role="toolbar"
          aria-label={t("sheet.tools")}
          className="flex flex-wrap gap-1 px-3 py-1"
        >
          {ACTION_NAMES.map((name) => (
            <Button
              key={name}
              variant="ghost"
              size="small"
              className="pointer-coarse:h-11"
              onClick={() => change(ACTIONS[name](table, active))}
            >
              {t(`sheet.${name}`)}
            </Button>
          ))}
        </div>
      )}
      <SheetGrid
        label={title}
        table={table}
        active={active}
        onActivate={setActive}
        onChange={onEdit && change}
      />
    </>
  );
}
