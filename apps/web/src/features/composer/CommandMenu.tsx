import { cn } from "@/lib/classNames";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Command } from "./command";

interface CommandMenuProps {
  id: string;
  commands: Command[];
  activeIndex: number;
  onPoint: (index: number) => void;
  onChoose: (command: Command) => void;
}

export function optionId(menuId: string, index: number): string {
  return `${menuId}-${index}`;
}

/** The commands above the box. The focus stays in the box, which names the active one. */
export function CommandMenu({ id, commands, activeIndex, onPoint, onChoose }: CommandMenuProps) {
  const { t } = useTranslation("composer");
  const active = useRef<HTMLDivElement>(null);
  useEffect(() => {
    active.current?.scrollIntoView({ block: "nearest" });
  });
  return (
    <div
      id={id}
      role="listbox"
      aria-label={t("commands")}
      data-testid="slash-commands"
      className="absolute inset-x-0 bottom-full z-20 mb-2 max-h-[min(20rem,50dvh)] scrollbar-quiet overflow-y-auto rounded-xl border bg-surface p-1 shadow-float"
    >
      {commands.map((command, index) => (
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the box has the keys
        <div
          key={command.name}
          ref={index === activeIndex ? active : undefined}
          id={optionId(id, index)}
          role="option"
          tabIndex={-1}
          aria-selected={index === activeIndex}
          onMouseMove={() => onPoint(index)}
          // A press must not take the focus out of the box.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onChoose(command)}
          className={cn(
            "flex items-baseline gap-3 rounded-lg px-2.5 py-2 text-sm pointer-coarse:py-3",
            index === activeIndex && "bg-muted",
          )}
        >
          <span className="font-mono text-[13px] font-medium">/{command.name}</span>
          {command.argument && (
            <span className="font-mono text-xs text-muted-foreground">[{command.argument}]</span>
          )}
          <span className="min-w-0 flex-1 truncate text-end text-muted-foreground">
            {command.description}
          </span>
        </div>
      ))}
    </div>
  );
}
