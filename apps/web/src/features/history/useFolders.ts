/** The folders, and what can be done with them. */
import {
  FOLDERS_KEY,
  type Folder,
  createFolder,
  deleteFolder,
  fetchFolders,
  renameFolder,
} from "@/lib/api/folders";
import { HISTORY_KEY } from "@/lib/api/history";
import { loadedLists, relist } from "@/lib/api/historyPages";
import { newId } from "@/lib/newId";
import { notifyError } from "@/lib/notify";
import { createPreference } from "@/lib/preference";
import { reread } from "@/lib/queryClient";
import {
  type QueryClient,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback } from "react";
import * as z from "zod/mini";

const NO_FOLDERS: Folder[] = [];

/** The folders whose chats are shown. */
export const openFolders = createPreference("open-folders", z.array(z.string()), []);

export function toggleFolder(folderId: string): void {
  const open = openFolders.get();
  openFolders.set(
    open.includes(folderId) ? open.filter((id) => id !== folderId) : [...open, folderId],
  );
}

export const foldersQuery = queryOptions({
  queryKey: FOLDERS_KEY,
  queryFn: ({ signal }) => fetchFolders(signal),
  refetchOnWindowFocus: "always",
});

/** By name, as the reader's language sorts. */
export function useFolders(): Folder[] {
  const { data } = useQuery({ ...foldersQuery, select: byName });
  return data ?? NO_FOLDERS;
}

function byName(folders: Folder[]): Folder[] {
  return folders.toSorted((one, other) => one.name.localeCompare(other.name));
}

/** Resolves with the folder, or with nothing where the gateway refuses it. */
export function useCreateFolder() {
  const client = useQueryClient();
  return useCallback(
    async (name: string): Promise<Folder | undefined> => {
      const draft = { id: `new-${newId()}`, name };
      await client.cancelQueries({ queryKey: FOLDERS_KEY });
      edit(client, (folders) => [...folders, draft]);
      try {
        const folder = await createFolder(name);
        openFolders.set([...openFolders.get(), folder.id]);
        edit(client, (folders) => [...folders, folder]);
        return folder;
      } catch (error) {
        void notifyError(error);
        return undefined;
      } finally {
        edit(client, (folders) => folders.filter(({ id }) => id !== draft.id));
        void client.invalidateQueries({ queryKey: FOLDERS_KEY });
      }
    },
    [client],
  );
}

export function useRenameFolder() {
  return useFolderEdit(
    ({ id, name }: Folder) => renameFolder(id, name),
    (folders, renamed) => folders.map((folder) => (folder.id === renamed.id ? renamed : folder)),
  );
}

export function useDeleteFolder() {
  const client = useQueryClient();
  return useFolderEdit(
    ({ id }: Folder) => deleteFolder(id),
    (folders, deleted) => folders.filter(({ id }) => id !== deleted.id),
    ({ id: folderId }) => {
      const filed = loadedLists(client)
        .filter(([shelf]) => !shelf.isArchive && shelf.folderId === folderId)
        .flatMap(([, pages]) => pages?.pages.flatMap(({ chats }) => chats) ?? []);
      relist(
        client,
        filed.map((chat) => ({ ...chat, folderId: null })),
      );
    },
  );
}

/** Shows an edit at once; what the gateway refuses is taken back. */
function useFolderEdit(
  save: (folder: Folder) => Promise<void>,
  preview: (folders: Folder[], folder: Folder) => Folder[],
  onSaving?: (folder: Folder) => void,
) {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: save,
    onMutate: async (folder) => {
      await client.cancelQueries({ queryKey: FOLDERS_KEY });
      const previous = client.getQueryData<Folder[]>(FOLDERS_KEY);
      edit(client, (folders) => preview(folders, folder));
      onSaving?.(folder);
      return { previous };
    },
    onError: (error, _, context) => {
      client.setQueryData(FOLDERS_KEY, context?.previous);
      void notifyError(error);
    },
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: FOLDERS_KEY });
      if (onSaving) await reread(client, HISTORY_KEY);
    },
  });
  return mutate;
}

function edit(client: QueryClient, change: (folders: Folder[]) => Folder[]): void {
  client.setQueryData<Folder[]>(FOLDERS_KEY, (folders) => folders && change(folders));
}
