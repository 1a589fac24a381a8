/** What can be written after a slash, in the order of the menu. */
export const COMMAND_NAMES = [
  "new",
  "clear",
  "rename",
  "model",
  "theme",
  "delete",
  "purge",
  "help",
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];
