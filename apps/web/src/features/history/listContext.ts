/** What rows and menus can do with the list that they are in. */
import type { Folder } from "@/lib/api/folders";
import type { ChatChange, ChatSummary } from "@/lib/api/history";
import { createContext, use } from "react";

export interface ListCommands {
  open: (chatId: string) => void;
  edit: (chats: ChatSummary[], change: ChatChange) => void;
  remove: (chats: ChatSummary[]) => void;
  renameFolder: (folder: Folder) => void;
  removeFolder: (folder: Folder) => void;
  /** Asks for the name of a folder, and puts these chats into it. */
  startFolder: (chats: ChatSummary[]) => void;
  finishFolder: (name: string | null) => void;
  /** Chooses one more chat or one less, or all between two. */
  select: (chatId: string, how: "one" | "range") => void;
  setMode: (mode: RowMode | null) => void;
  /** Unless its choice has begun something else with the row. */
  closeMenu: () => void;
  focus: (key: string) => void;
}

/** What is being done with a row. */
export interface RowMode {
  key: string;
  kind: "menu" | "renaming";
}

export const ListContext = createContext<ListCommands | null>(null);

export function useList(): ListCommands {
  const commands = use(ListContext);
  if (!commands) throw new Error("useList outside of a ListContext");
  return commands;
}
