/** The key that shortcuts are made with, as this machine's keyboard names it. */
export const MOD_KEY = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
