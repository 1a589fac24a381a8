import { describe, expect, it } from "vitest";
import { MAX_FILES, acceptedTypes, filePart, refusalOf } from "./attachment";

const fileOf = (type: string, size = 10) => ({ type, size });
const SEEING = { seesImages: true, count: 0 };

describe("refusalOf", () => {
  it.each(["image/png", "application/pdf", "text/csv", "application/json", "image/svg+xml", ""])(
    "lets %j through",
    (type) => expect(refusalOf(fileOf(type), SEEING)).toBeUndefined(),
  );

  it.each(["video/mp4", "audio/mpeg", "application/zip", "image/heic", "font/woff2"])(
    "refuses %s",
    (type) => expect(refusalOf(fileOf(type), SEEING)).toBe("kind"),
  );

  it("refuses images where the model sees none, and only those", () => {
    const blind = { seesImages: false, count: 0 };
    expect(refusalOf(fileOf("image/png"), blind)).toBe("vision");
    expect(refusalOf(fileOf("application/pdf"), blind)).toBeUndefined();
  });

  it("refuses nothing at all, and one too many", () => {
    expect(refusalOf(fileOf("text/plain", 0), SEEING)).toBe("empty");
    expect(refusalOf(fileOf("text/plain"), { ...SEEING, count: MAX_FILES })).toBe("count");
  });
});

it("offers images in the file dialog only where they are seen", () => {
  expect(acceptedTypes(true)).toContain("image/png");
  expect(acceptedTypes(false)).not.toContain("image/");
});

it("sends only what the gateway keeps", () => {
  const attachment = { id: "1", name: "a.txt", mediaType: "text/plain", progress: 1 } as const;
  expect(filePart({ ...attachment, state: "uploading" })).toEqual([]);
  expect(filePart({ ...attachment, state: "ready", url: "/api/files/1" })).toEqual([
    { type: "file", filename: "a.txt", mediaType: "text/plain", url: "/api/files/1" },
  ]);
});
