const LONGEST_WAIT_MS = 5_000;

/** Calls when the page has nothing else to do, or after a while where it always has. */
export function whenIdle(deed: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(deed, { timeout: LONGEST_WAIT_MS });
  else setTimeout(deed, LONGEST_WAIT_MS);
}
