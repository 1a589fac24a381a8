/** What the list is doing, and the commands of its rows. */
import type { ChatSummary } from "@/lib/api/history";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { deleteChats } from "./deletion";
import type { ListCommands, RowMode } from "./listContext";
import { NOTHING, type Selection, extended, toggled } from "./selection";
import { useEditChats } from "./useEdits";
import { useCreateFolder, useRenameFolder } from "./useFolders";
import type { Folder } from "@/lib/api/folders";
import type { Current } from "./useVirtualRows";

interface ListEvents {
  onNavigate: () => void;
  onDeleted: (chatIds: string[]) => void;
}

export function useListCommands(events: ListEvents) {
  const [mode, setMode] = useState<RowMode | null>(null);
  const [current, setCurrent] = useState<Current | null>(null);
  const [selection, setSelection] = useState<Selection | null>(null);
  /** The chats that the folder is for that is being named. */
  const [filing, setFiling] = useState<ChatSummary[] | null>(null);
  const [doomedFolder, setDoomedFolder] = useState<Folder | null>(null);
  const edit = useEditChats();
  const renameFolder = useRenameFolder();
  const createFolder = useCreateFolder();
  const navigate = useNavigate();
  const listedRef = useRef<string[]>([]);
  const latest = useRef({ events, filing });
  useEffect(() => {
    latest.current = { events, filing };
  });

  const commands = useMemo<ListCommands>(() => {
    async function finishFolder(name: string | null): Promise<void> {
      const chats = latest.current.filing ?? [];
      setFiling(null);
      const folder = name === null ? undefined : await createFolder(name);
      if (folder && chats.length > 0) void edit(chats, { folderId: folder.id });
    }
    const endSelecting = () => setSelection((chosen) => chosen && NOTHING);
    return {
      open: (chatId) => {
        latest.current.events.onNavigate();
        void navigate({ to: "/chat/$chatId", params: { chatId } });
      },
      edit: (chats, change) => {
        void edit(chats, change);
        if (change.title === undefined) endSelecting();
      },
      remove: (chats) => {
        deleteChats(chats);
        endSelecting();
        latest.current.events.onDeleted(chats.map(({ id }) => id));
      },
      renameFolder,
      removeFolder: setDoomedFolder,
      startFolder: setFiling,
      finishFolder: (name) => void finishFolder(name),
      select: (chatId, how) =>
        setSelection((chosen) =>
          how === "one"
            ? toggled(chosen ?? NOTHING, chatId)
            : extended(chosen ?? NOTHING, chatId, listedRef.current),
        ),
      setMode,
      closeMenu: () => setMode((now) => (now?.kind === "menu" ? null : now)),
      focus: (key) => setCurrent({ key, isWanted: true }),
    };
  }, [edit, renameFolder, createFolder, navigate]);

  return {
    commands,
    mode,
    current,
    setCurrent,
    selection,
    setSelection,
    isNamingFolder: filing !== null,
    doomedFolder,
    setDoomedFolder,
    listedRef,
  };
}
