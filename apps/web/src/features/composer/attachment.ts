/** A file on its way into a message, and which files may go there. */
import type { FileUIPart } from "ai";

export interface Attachment {
  id: string;
  name: string;
  mediaType: string;
  /** What an image looks like; absent for other files. */
  previewUrl?: string;
  state: "uploading" | "ready" | "failed";
  /** The share that has been sent, 0 to 1. */
  progress: number;
  /** Where the gateway keeps it, once it does. */
  url?: string;
  /** Why it failed. */
  reason?: string;
}

export type Refusal = "kind" | "vision" | "count" | "empty";

export const MAX_FILES = 8;
const IMAGES = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const TEXT_LIKE = /json|xml|yaml|javascript|typescript|sql|x-sh|x-httpd-php|toml|ecmascript/;
const TEXT_EXTENSIONS =
  ".txt,.md,.markdown,.csv,.tsv,.json,.jsonl,.yaml,.yml,.toml,.xml,.html,.css,.js,.ts,.tsx,.jsx,.py,.rs,.go,.java,.c,.h,.cpp,.sh,.sql,.log,.tex";

/** For the file dialog; what is dropped or pasted is looked at by `refusalOf`. */
export function acceptedTypes(seesImages: boolean): string {
  const types = ["application/pdf", "text/*", TEXT_EXTENSIONS];
  return [...(seesImages ? IMAGES : []), ...types].join(",");
}

/** Why a file cannot go along. What a file truly is, the gateway tells by its bytes. */
export function refusalOf(
  file: { type: string; size: number },
  { seesImages, count }: { seesImages: boolean; count: number },
): Refusal | undefined {
  if (count >= MAX_FILES) return "count";
  if (file.size === 0) return "empty";
  if (IMAGES.includes(file.type)) return seesImages ? undefined : "vision";
  return mayBeText(file.type) || file.type === "application/pdf" ? undefined : "kind";
}

export function isImage(mediaType: string): boolean {
  return mediaType.startsWith("image/");
}

export function filePart({ name, mediaType, url }: Attachment): FileUIPart[] {
  return url === undefined ? [] : [{ type: "file", filename: name, mediaType, url }];
}

/** Browsers know few text types by name: one that they do not know may be text. */
function mayBeText(type: string): boolean {
  return (
    type === "" || type.startsWith("text/") || type === "image/svg+xml" || TEXT_LIKE.test(type)
  );
}
