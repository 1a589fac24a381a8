/** Documents beside the chat: their versions, what a model would change, and how two differ. */
import * as z from "zod/mini";
import { getJson, postJson, send } from "./request";

export const documentKindSchema = z.enum(["text", "code", "sheet", "image"]);
const versionSchema = z.object({
  id: z.string(),
  createdAt: z.string(),
  title: z.string(),
  content: z.string(),
  kind: documentKindSchema,
  userId: z.string(),
});
const versionsSchema = z.array(versionSchema);
export const suggestionSchema = z.object({
  id: z.string(),
  documentId: z.string(),
  originalText: z.string(),
  suggestedText: z.string(),
  description: z.string(),
  status: z.enum(["open", "resolved", "dismissed"]),
});
const spanSchema = z.object({ kind: z.enum(["equal", "delete", "insert"]), text: z.string() });
const diffSchema = z.object({ spans: z.array(spanSchema) });

export type DocumentKind = z.infer<typeof documentKindSchema>;
/** Named by its `createdAt`. */
export type DocumentVersion = z.infer<typeof versionSchema>;
export type Suggestion = z.infer<typeof suggestionSchema>;
export type DiffSpan = z.infer<typeof spanSchema>;

/** What the browser still sends when the page is being closed. */
const MAX_KEEPALIVE_CHARS = 15_000;

export const documentKey = (id: string) => ["document", id] as const;
export const suggestionsKey = (id: string) => ["suggestions", id] as const;

/** All versions, oldest first; of another's document, shown in `chatId`, the newest. */
export function fetchVersions(id: string, chatId: string, signal?: AbortSignal) {
  return getJson(`/api/document?${new URLSearchParams({ id, chatId })}`, versionsSchema, signal);
}

/** Changes `base` in place; where it is not the newest any more, a version of its own is returned. */
export async function saveEdit(base: DocumentVersion, content: string): Promise<DocumentVersion> {
  const { id, title, kind, createdAt } = base;
  const [written] = await postJson(
    `/api/document?${new URLSearchParams({ id })}`,
    z.tuple([versionSchema]),
    { content, title, kind, isManualEdit: true, editedVersion: createdAt },
    content.length < MAX_KEEPALIVE_CHARS,
  );
  return written;
}

/** Deletes what is newer than `version`. */
export function restoreVersion({ id, createdAt }: DocumentVersion): Promise<void> {
  return send("DELETE", `/api/document?${new URLSearchParams({ id, timestamp: createdAt })}`);
}

export async function fetchDiff(
  from: DocumentVersion,
  to: DocumentVersion,
  signal?: AbortSignal,
): Promise<DiffSpan[]> {
  const query = new URLSearchParams({ id: from.id, from: from.createdAt, to: to.createdAt });
  return (await getJson(`/api/document/diff?${query}`, diffSchema, signal)).spans;
}

export function fetchSuggestions(documentId: string, signal?: AbortSignal): Promise<Suggestion[]> {
  const query = new URLSearchParams({ documentId });
  return getJson(`/api/suggestions?${query}`, z.array(suggestionSchema), signal);
}

export function settleSuggestion(id: string, status: Suggestion["status"]): Promise<void> {
  return send("PATCH", `/api/suggestions/${id}`, { status });
}
