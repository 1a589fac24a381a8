import type { KeyboardEvent } from "react";
import { type ListCommands } from "./listContext";
import { type Item, type Row, folderKey, isItem, itemPlace } from "./rows";
import { toggleFolder } from "./useFolders";

interface RowKeys {
  rows: Row[];
  commands: ListCommands;
  isSelecting: boolean;
  onEndSelecting: () => void;
}

/** What keys do on a row of the list; those of Space and Enter are the row's own. */
export function useRowKeys({ rows, commands, isSelecting, onEndSelecting }: RowKeys) {
  return (event: KeyboardEvent<HTMLElement>): void => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const key = event.target instanceof HTMLElement ? event.target.dataset["key"] : undefined;
    const place = rows.findIndex((row) => row.key === key);
    const item = rows[place];
    if (!isItem(item)) return;
    const chord = event.shiftKey ? `Shift+${event.key}` : event.key;
    if (chord === "Escape" && isSelecting) onEndSelecting();
    else if (!act(chord, item, place)) return;
    event.preventDefault();
  };

  /** Returns whether the key means something. */
  function act(key: string, item: Item, place: number): boolean {
    const target = itemPlace(rows, place, key);
    if (target !== place) focusPlace(target);
    else if (key === "ArrowRight" || key === "ArrowLeft") fold(key === "ArrowRight", item);
    else if (isSelecting) return false;
    else if (key === "F2") commands.setMode({ key: item.key, kind: "renaming" });
    else if (key === "ContextMenu" || key === "Shift+F10") {
      commands.setMode({ key: item.key, kind: "menu" });
    } else if (key === "Delete") remove(item, place);
    else return false;
    return true;
  }

  function fold(isOpening: boolean, item: Item): void {
    if (item.kind === "folder" && item.isOpen !== isOpening) toggleFolder(item.folder.id);
    else if (item.kind === "chat" && item.isFiled && !isOpening && item.chat.folderId !== null) {
      commands.focus(folderKey(item.chat.folderId));
    }
  }

  function remove(item: Item, place: number): void {
    if (item.kind === "folder") return commands.removeFolder(item.folder);
    const below = itemPlace(rows, place, "ArrowDown");
    focusPlace(below === place ? itemPlace(rows, place, "ArrowUp") : below);
    commands.remove([item.chat]);
  }

  function focusPlace(place: number): void {
    const row = rows[place];
    if (row) commands.focus(row.key);
  }
}
