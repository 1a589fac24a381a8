/** Files that go with a message: uploading with progress, and taking back. */
import { GatewayError, OfflineError, UnreachableError, gatewayError } from "@/lib/errors";
import { t } from "@/lib/i18n";
import { parseJson } from "@/lib/json";
import * as z from "zod/mini";
import { send } from "./request";

const fileSchema = z.object({
  id: z.string(),
  url: z.string(),
  filename: z.string(),
  mediaType: z.string(),
});
const refusalSchema = z.object({ code: z.string(), error: z.string() });

export type UploadedFile = z.infer<typeof fileSchema>;

interface UploadOptions {
  /** Called with the share that has been sent, 0 to 1. */
  onProgress: (share: number) => void;
  signal: AbortSignal;
}

/** `fetch` does not tell how much of a body has been sent; XMLHttpRequest does. */
export function uploadFile(
  file: File,
  { onProgress, signal }: UploadOptions,
): Promise<UploadedFile> {
  const form = new FormData();
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/files/upload");
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / total));
    request.addEventListener("error", () => {
      reject(navigator.onLine ? new UnreachableError() : new OfflineError());
    });
    request.addEventListener("load", () => {
      try {
        resolve(uploadedFile(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

export function deleteFile(url: string): Promise<void> {
  return send("DELETE", url);
}

function uploadedFile(status: number, body: string): UploadedFile {
  const answer = parseJson(body);
  if (status !== 200) throw refusal(status, body, answer);
  const parsed = fileSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new GatewayError("bad_response:file", t("errors:disagreement"));
}

/** Of a refused file `error` has the reason, too. */
function refusal(status: number, body: string, answer: unknown): GatewayError {
  const parsed = refusalSchema.safeParse(answer);
  return parsed.success
    ? new GatewayError(parsed.data.code, parsed.data.error, status)
    : gatewayError(status, body);
}
