/** Folders of chats. */
import * as z from "zod/mini";
import { getJson, postJson, send } from "./request";

const folderSchema = z.object({ id: z.string(), name: z.string() });
const foldersSchema = z.object({ folders: z.array(folderSchema) });

export type Folder = z.infer<typeof folderSchema>;

export const FOLDERS_KEY = ["folders"] as const;

export async function fetchFolders(signal?: AbortSignal): Promise<Folder[]> {
  const { folders } = await getJson("/api/folders", foldersSchema, signal);
  return folders;
}

export function createFolder(name: string): Promise<Folder> {
  return postJson("/api/folders", folderSchema, { name });
}

export function renameFolder(folderId: string, name: string): Promise<void> {
  return send("PATCH", `/api/folders/${folderId}`, { name });
}

/** Its chats stay, in no folder. */
export function deleteFolder(folderId: string): Promise<void> {
  return send("DELETE", `/api/folders/${folderId}`);
}
