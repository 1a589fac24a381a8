import type { FileUIPart } from "ai";

/** What the model has drawn; anything but a picture is to be saved. */
export function GeneratedFile({ file }: { file: FileUIPart }) {
  if (!file.mediaType.startsWith("image/")) {
    return (
      <a href={file.url} download data-testid="message-file" className="underline">
        Download the file
      </a>
    );
  }
  return (
    <img
      src={file.url}
      alt="Made by the model"
      data-testid="message-image"
      className="my-3 max-h-128 max-w-full rounded-xl border"
    />
  );
}
