import { deleteFile, uploadFile } from "@/lib/api/files";
import { errorMessage } from "@/lib/errors";
import { newId } from "@/lib/newId";
import type { FileUIPart } from "ai";
import { useEffect, useRef, useState } from "react";
import { type Attachment, filePart, isImage } from "./attachment";

interface Upload {
  file: File;
  cancel: AbortController;
}

/** The files beside the text, uploaded as soon as they are chosen; `stored` are from an earlier visit. */
export function useAttachments(stored: FileUIPart[]) {
  const [attachments, setAttachments] = useState(() => stored.map(fromPart));
  const uploads = useRef(new Map<string, Upload>());

  useEffect(() => {
    const running = uploads.current;
    return () => {
      for (const { cancel } of running.values()) cancel.abort();
    };
  }, []);

  function change(id: string, changes: Partial<Attachment>): void {
    setAttachments((all) => all.map((one) => (one.id === id ? { ...one, ...changes } : one)));
  }

  async function upload(id: string, file: File): Promise<void> {
    const cancel = new AbortController();
    uploads.current.set(id, { file, cancel });
    try {
      const { url, mediaType } = await uploadFile(file, {
        onProgress: (progress) => change(id, { progress }),
        signal: cancel.signal,
      });
      // The gateway tells by the bytes what a file is.
      change(id, { state: "ready", url, mediaType, progress: 1 });
    } catch (error) {
      change(id, { state: "failed", reason: errorMessage(error) });
    }
  }

  function add(files: File[]): void {
    const added = files.map((file) => ({ file, attachment: fromFile(file) }));
    setAttachments((all) => [...all, ...added.map(({ attachment }) => attachment)]);
    for (const { file, attachment } of added) void upload(attachment.id, file);
  }

  function retry(id: string): void {
    const file = uploads.current.get(id)?.file;
    if (!file) return;
    change(id, { state: "uploading", progress: 0 });
    void upload(id, file);
  }

  function remove(id: string): void {
    uploads.current.get(id)?.cancel.abort();
    uploads.current.delete(id);
    const url = attachments.find((one) => one.id === id)?.url;
    // An upload that stays behind is swept within a day.
    if (url) deleteFile(url).catch(() => undefined);
    setAttachments((all) => all.filter((one) => one.id !== id));
  }

  function clear(): void {
    uploads.current.clear();
    setAttachments([]);
  }

  return { attachments, add, retry, remove, clear };
}

function fromPart({ filename, mediaType, url }: FileUIPart): Attachment {
  const preview = isImage(mediaType) && { previewUrl: url };
  const name = filename ?? mediaType;
  return { id: newId(), name, mediaType, url, state: "ready", progress: 1, ...preview };
}

function fromFile(file: File): Attachment {
  const preview = isImage(file.type) && { previewUrl: URL.createObjectURL(file) };
  const name = file.name || file.type;
  return { id: newId(), name, mediaType: file.type, state: "uploading", progress: 0, ...preview };
}

/** What of them can be sent by now. */
export function readyParts(attachments: Attachment[]): FileUIPart[] {
  return attachments.flatMap(filePart);
}
