import { useDndContext } from "@dnd-kit/core";
import { type FocusEvent, type KeyboardEvent, type MouseEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { RowView } from "./RowView";
import { type RowMode, useList } from "./listContext";
import { isItem } from "./rows";
import type { Selection } from "./selection";
import { useRowKeys } from "./useRowKeys";
import type { Rows } from "./useRows";
import { type Current, useRowFocus, useVirtualRows } from "./useVirtualRows";

interface HistoryRowsProps {
  content: Rows;
  activeChatId: string | undefined;
  current: Current | null;
  onCurrent: (key: string) => void;
  mode: RowMode | null;
  selection: Selection | null;
  onEndSelecting: () => void;
}

/** The rows, of which only those in view are in the page. */
export function HistoryRows(props: HistoryRowsProps) {
  const { content, activeChatId, current, onCurrent, mode, selection, onEndSelecting } = props;
  const { rows, list } = content;
  const { t } = useTranslation("history");
  const scroller = useRef<HTMLElement>(null);
  const commands = useList();
  const isDragging = useDndContext().active !== null;

  const placeOf = (key: string | undefined) => rows.findIndex((row) => row.key === key);
  const isKept = current !== null && placeOf(current.key) >= 0;
  const active = placeOf(activeChatId);
  const tabStop = isKept ? placeOf(current.key) : active >= 0 ? active : rows.findIndex(isItem);

  const virtualizer = useVirtualRows(rows, tabStop, scroller);
  useRowFocus(current, scroller, () => virtualizer.scrollToIndex(tabStop));
  const onKeyDown = useRowKeys({ rows, commands, isSelecting: selection !== null, onEndSelecting });

  const shown = virtualizer.getVirtualItems();
  useEffect(() => {
    for (const { index } of shown) {
      const row = rows[index];
      if (row?.kind === "ending" && row.ending === "more") list(row.folderId)?.loadMore();
    }
  });

  function onFocus({ target }: FocusEvent): void {
    const key = target instanceof HTMLElement ? target.dataset["key"] : undefined;
    if (key !== undefined && key !== current?.key) onCurrent(key);
  }

  function onContextMenu(event: MouseEvent): void {
    const row = event.target instanceof Element && event.target.closest("[data-row]");
    const key = row instanceof HTMLElement ? row.dataset["row"] : undefined;
    if (key === undefined || selection || !isItem(rows[placeOf(key)])) return;
    event.preventDefault();
    // A finger that is held long enough for a menu is dragging.
    if (isDragging) return;
    commands.setMode({ key, kind: "menu" });
  }

  return (
    <nav
      ref={scroller}
      aria-label={t("chats")}
      className="relative min-h-0 flex-1 scrollbar-quiet overflow-y-auto px-3 pb-4"
    >
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys of its rows */}
      <ul
        className="relative"
        style={{ height: virtualizer.getTotalSize() }}
        onFocus={onFocus}
        onContextMenu={onContextMenu}
        onKeyDown={(event: KeyboardEvent<HTMLElement>) => !isDragging && onKeyDown(event)}
      >
        {shown.map(({ index, key, start, size }) => {
          const row = rows[index];
          return (
            row && (
              <li
                key={key}
                data-row={row.key}
                className="absolute inset-x-0 top-0 pb-px"
                style={{ height: size, transform: `translateY(${start}px)` }}
              >
                <RowView
                  row={row}
                  isActive={row.key === activeChatId}
                  isTabStop={index === tabStop}
                  mode={mode?.key === row.key ? mode.kind : undefined}
                  isChosen={selection ? selection.ids.has(row.key) : undefined}
                  onRetry={() => row.kind === "ending" && list(row.folderId)?.reload()}
                />
              </li>
            )
          );
        })}
      </ul>
    </nav>
  );
}
