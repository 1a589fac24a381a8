import { cn } from "@/lib/classNames";
import type { CSSProperties } from "react";

interface SheetRowProps {
  cells: readonly string[];
  index: number;
  style: CSSProperties;
  /** Of the cell that has the focus, if it is in this row. */
  activeColumn: number | undefined;
  /** What is being typed into it. */
  draft: string | undefined;
  onDraft: (draft: string) => void;
  onLeave: () => void;
  onActivate: (column: number) => void;
  onOpen: ((column: number) => void) | undefined;
}

export function SheetRow(props: SheetRowProps) {
  const { cells, index, style, activeColumn, draft } = props;
  return (
    <div role="row" aria-rowindex={index + 2} style={style} className="absolute inset-x-0 flex">
      <span
        role="rowheader"
        aria-colindex={1}
        className="flex w-14 shrink-0 items-center justify-center border-e border-b bg-sidebar text-xs text-muted-foreground"
      >
        {index + 1}
      </span>
      {cells.map((text, column) => {
        const isActive = column === activeColumn;
        return (
          <div
            key={column}
            role="gridcell"
            aria-colindex={column + 2}
            aria-selected={isActive}
            tabIndex={isActive && draft === undefined ? 0 : -1}
            onPointerDown={() => !isActive && props.onActivate(column)}
            onFocus={() => !isActive && props.onActivate(column)}
            onDoubleClick={() => props.onOpen?.(column)}
            className={cn(
              "w-36 shrink-0 border-e border-b -outline-offset-2",
              index === 0 && "bg-muted font-medium",
              isActive && "outline-2 outline-accent",
            )}
          >
            {isActive && draft !== undefined ? (
              <input
                // oxlint-disable-next-line jsx-a11y/no-autofocus -- the cell that is edited has the focus
                autoFocus
                aria-label={text}
                value={draft}
                onChange={(event) => props.onDraft(event.target.value)}
                onBlur={props.onLeave}
                className="size-full bg-surface px-2 outline-none"
              />
            ) : (
              <span className="flex h-full items-center overflow-hidden px-2">
                <span className="truncate">{text}</span>
              </span>
            )}
          </div>
        );
      })}
    </div>
  );
}
