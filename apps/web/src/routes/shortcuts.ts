/** The keyboard map: what works anywhere on the page, and what works in the box. */
export const SHORTCUTS = [
  { name: "search", chords: ["mod+k"] },
  { name: "newChat", chords: ["mod+shift+o"] },
  { name: "toggleSidebar", chords: ["mod+b"] },
  { name: "chooseModel", chords: ["mod+shift+m"] },
  { name: "showShortcuts", chords: ["?", "mod+/"] },
] as const;

/** These the box itself knows; they are here to be shown. */
export const BOX_KEYS = [
  { name: "send", chords: ["enter"] },
  { name: "newLine", chords: ["shift+enter"] },
  { name: "editLast", chords: ["arrowup"] },
  { name: "removeFile", chords: ["backspace"] },
  { name: "command", chords: ["/"] },
  { name: "close", chords: ["escape"] },
] as const;

export type ShortcutName = (typeof SHORTCUTS)[number]["name"];
export type ShortcutActions = Partial<Record<ShortcutName, () => void>>;

type Keys = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

/** `mod+shift+o`; mod is Ctrl, or Command on a Mac. Signs are taken as written, whatever made them. */
export function chordOf({ key, ctrlKey, metaKey, shiftKey }: Keys): string {
  const isSign = /^[^\p{L}\p{N}]$/u.test(key);
  const mod = ctrlKey || metaKey ? "mod+" : "";
  const shift = shiftKey && !isSign ? "shift+" : "";
  return `${mod}${shift}${key.toLowerCase()}`;
}

/** The shortcut that these keys are; while someone writes, only those with Ctrl or Command. */
export function shortcutOf(keys: Keys, isWriting: boolean): ShortcutName | undefined {
  const chord = chordOf(keys);
  if (isWriting && !chord.startsWith("mod+")) return undefined;
  return SHORTCUTS.find(({ chords }) => chords.some((known) => known === chord))?.name;
}
