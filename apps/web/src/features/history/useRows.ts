/** The rows of the list that is shown, and the lists that they come from. */
import type { Folder } from "@/lib/api/folders";
import { ARCHIVE, LOOSE, type Shelf } from "@/lib/api/history";
import { useSignal } from "@/lib/signal";
import { useMemo, useState } from "react";
import { deletedChats } from "./deletion";
import { type Row, looseRows, rowsOf } from "./rows";
import { openFolders, useFolders } from "./useFolders";
import { type List, useLists } from "./useLists";

const NO_FOLDERS: Folder[] = [];

export interface Rows {
  rows: Row[];
  /** Of a folder, or of the chats in none. */
  list: (folderId: string | null) => List | undefined;
}

export function useRows(isArchive: boolean, isNamingFolder: boolean): Rows {
  const all = useFolders();
  const folders = isArchive ? NO_FOLDERS : all;
  const open = useSignal(openFolders);
  const hidden = useSignal(deletedChats);
  const openIds = folders.map(({ id }) => id).filter((id) => open.includes(id));
  const shelves: Shelf[] = isArchive
    ? [ARCHIVE]
    : [LOOSE, ...openIds.map((folderId) => ({ isArchive: false as const, folderId }))];
  const lists = useSteady(useLists(shelves));

  return useMemo(() => {
    const [loose, ...others] = lists;
    if (!loose) return { rows: [], list: () => undefined };
    const now = new Date(loose.updatedAtMs);
    const openOnes = folders.filter(({ id }) => open.includes(id));
    const filed = new Map(
      openOnes.flatMap(({ id }, place) => {
        const list = others[place];
        return list ? [[id, list] as const] : [];
      }),
    );
    const rows = isArchive
      ? looseRows(loose, hidden, now)
      : rowsOf({ folders, filed, loose, hidden, isNamingFolder, now });
    return { rows, list: (folderId) => (folderId === null ? loose : filed.get(folderId)) };
  }, [lists, folders, open, hidden, isArchive, isNamingFolder]);
}

/** The same array for the same members. */
function useSteady<Member>(members: Member[]): Member[] {
  const [steady, setSteady] = useState(members);
  const isSame =
    steady.length === members.length && steady.every((member, place) => member === members[place]);
  if (!isSame) setSteady(members);
  return isSame ? steady : members;
}
