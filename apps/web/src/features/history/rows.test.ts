import type { ChatSummary } from "@/lib/api/history";
import { describe, expect, it } from "vitest";
import { type Listed, type Row, isItem, itemPlace, rowsOf } from "./rows";

const NOW = new Date(2026, 2, 30, 12);
const chat = (id: string, daysAgo = 0): ChatSummary => ({
  id,
  title: id,
  folderId: null,
  isArchived: false,
  createdAtMs: new Date(2026, 2, 30 - daysAgo, 11).getTime(),
});
const listed = (chats: ChatSummary[], ending: Listed["ending"] = "end"): Listed => ({
  chats,
  ending,
});

function rowsWith(changes: Partial<Parameters<typeof rowsOf>[0]>): Row[] {
  return rowsOf({
    folders: [],
    filed: new Map(),
    loose: listed([]),
    hidden: new Set(),
    isNamingFolder: false,
    now: NOW,
    ...changes,
  });
}

const keys = (rows: Row[]) => rows.map(({ key }) => key);
const FOLDERS = [
  { id: "f1", name: "Work" },
  { id: "f2", name: "Zoo" },
];

describe("rowsOf", () => {
  it("puts folders first, and under open ones their chats", () => {
    const rows = rowsWith({
      folders: FOLDERS,
      filed: new Map([["f2", listed([chat("z")], "more")]]),
      loose: listed([chat("a"), chat("b", 1)]),
    });
    expect(keys(rows)).toEqual([
      "folders",
      "folder:f1",
      "folder:f2",
      "z",
      "ending:f2",
      "today",
      "a",
      "yesterday",
      "b",
    ]);
    expect(rows.flatMap((row) => (row.kind === "folder" ? [row.isOpen] : []))).toEqual([
      false,
      true,
    ]);
  });

  it("says when a list or a folder is empty", () => {
    const filed = new Map([["f1", listed([])]]);
    expect(keys(rowsWith({ folders: FOLDERS.slice(0, 1), filed }))).toEqual([
      "folders",
      "folder:f1",
      "empty:f1",
      "empty:null",
    ]);
  });

  it("leaves out what is deleted, and headings without chats", () => {
    const loose = listed([chat("a"), chat("b", 1)]);
    expect(keys(rowsWith({ loose, hidden: new Set(["a"]) }))).toEqual(["yesterday", "b"]);
    expect(keys(rowsWith({ loose, hidden: new Set(["a", "b"]) }))).toEqual(["empty:null"]);
  });

  it("has a place to name a folder before there is any", () => {
    expect(keys(rowsWith({ isNamingFolder: true }))).toEqual([
      "folders",
      "newFolder",
      "empty:null",
    ]);
  });

  it("is quick for 10,000 chats", () => {
    const chats = Array.from({ length: 10_000 }, (_, place) => chat(`c${place}`, place % 400));
    const before = performance.now();
    expect(rowsWith({ loose: listed(chats) }).filter(isItem)).toHaveLength(10_000);
    expect(performance.now() - before).toBeLessThan(500);
  });
});

describe("itemPlace", () => {
  const rows = rowsWith({ folders: FOLDERS, loose: listed([chat("a"), chat("b", 1)]) });
  const from = (key: string) => keys(rows).indexOf(key);
  it.each([
    ["folder:f1", "ArrowDown", "folder:f2"],
    ["folder:f2", "ArrowDown", "a"],
    ["a", "ArrowDown", "b"],
    ["b", "ArrowDown", "b"],
    ["b", "ArrowUp", "a"],
    ["a", "ArrowUp", "folder:f2"],
    ["folder:f1", "ArrowUp", "folder:f1"],
    ["b", "Home", "folder:f1"],
    ["folder:f1", "End", "b"],
    ["a", "x", "a"],
  ])("from %s by %s to %s", (start, key, end) => {
    expect(keys(rows)[itemPlace(rows, from(start), key)]).toBe(end);
  });
});
