/** Saving a document as a file. */
import type { DocumentKind } from "@/lib/api/documents";
import { EXTENSIONS, codeLanguage } from "./codeLanguage";
import { imageUrl } from "./imageUrl";

export function downloadDocument(kind: DocumentKind, title: string, content: string): void {
  const isImage = kind === "image";
  // Never a type that a browser would run.
  const text = new Blob([content], { type: "text/plain;charset=utf-8" });
  const url = isImage ? imageUrl(content) : URL.createObjectURL(text);
  if (!url) return;
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName(kind, title, content);
  link.click();
  if (!isImage) URL.revokeObjectURL(url);
}

export function fileName(kind: DocumentKind, title: string, content: string): string {
  const stem = title
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
    .replaceAll(/^[-.]+|[-.]+$/g, "")
    .slice(0, 80);
  const extension = {
    text: "md",
    code: EXTENSIONS[codeLanguage(title, content)],
    sheet: "csv",
    image: "png",
  }[kind];
  const name = stem || "document";
  return name.endsWith(`.${extension}`) ? name : `${name}.${extension}`;
}
