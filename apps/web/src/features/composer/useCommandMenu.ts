import { type KeyboardEvent, useId, useState } from "react";
import { type Command, matchingCommands } from "./command";
import { optionId } from "./CommandMenu";

interface CommandMenuOptions {
  commands: Command[];
  text: string;
  onComplete: (text: string) => void;
  onRun: (command: Command) => void;
}

/** Which commands are offered, which of them is active, and the keys that choose. */
export function useCommandMenu({ commands, text, onComplete, onRun }: CommandMenuOptions) {
  const id = useId();
  const [active, setActive] = useState({ text, index: 0 });
  const [dismissedText, setDismissedText] = useState<string>();
  const offered = text === dismissedText ? [] : matchingCommands(commands, text);
  const activeIndex = active.text === text ? active.index : 0;
  const isOpen = offered.length > 0;

  const point = (index: number) => setActive({ text, index });

  function choose(command: Command): void {
    if (command.argument === undefined) onRun(command);
    else onComplete(`/${command.name} `);
  }

  /** Returns whether the key was for the menu. */
  function onKeyDown({ key, shiftKey }: KeyboardEvent): boolean {
    const command = offered[activeIndex];
    if (!command) return false;
    if (key === "ArrowDown") point((activeIndex + 1) % offered.length);
    else if (key === "ArrowUp") point((activeIndex + offered.length - 1) % offered.length);
    else if (key === "Enter" && !shiftKey) run(command);
    else if (key === "Tab" && !shiftKey) onComplete(`/${command.name} `);
    else if (key === "Escape") setDismissedText(text);
    else return false;
    return true;
  }

  /** Enter on a name that is whole runs it, argument or not; on a part of one it completes. */
  function run(command: Command): void {
    if (text === `/${command.name}`) onRun(command);
    else choose(command);
  }

  const field = {
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-controls": isOpen ? id : undefined,
    "aria-activedescendant": isOpen ? optionId(id, activeIndex) : undefined,
  } as const;
  return { id, offered, isOpen, activeIndex, point, choose, onKeyDown, field };
}
