import { expect, it } from "vitest";
import { BOX_KEYS, SHORTCUTS, shortcutOf } from "./shortcuts";

const KEYS = { key: "", ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };

it.each([
  ["Ctrl+K", { key: "k", ctrlKey: true }, "search"],
  ["Command+K", { key: "k", metaKey: true }, "search"],
  ["Ctrl+Shift+O", { key: "O", ctrlKey: true, shiftKey: true }, "newChat"],
  ["Ctrl+/ on a German keyboard", { key: "/", ctrlKey: true, shiftKey: true }, "showShortcuts"],
  ["?", { key: "?", shiftKey: true }, "showShortcuts"],
  ["k alone", { key: "k" }, undefined],
  ["Ctrl+O", { key: "o", ctrlKey: true }, undefined],
])("%s", (_, keys, name) => expect(shortcutOf({ ...KEYS, ...keys }, false)).toBe(name));

it("leaves signs to who is writing", () => {
  expect(shortcutOf({ ...KEYS, key: "?", shiftKey: true }, true)).toBeUndefined();
  expect(shortcutOf({ ...KEYS, key: "k", ctrlKey: true }, true)).toBe("search");
});

it("gives no chord to two deeds", () => {
  const chords = [...SHORTCUTS, ...BOX_KEYS].flatMap(
    (shortcut) => shortcut.chords as readonly string[],
  );
  expect(new Set(chords).size).toBe(chords.length);
});
