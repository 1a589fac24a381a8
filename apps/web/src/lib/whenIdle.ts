/** Calls when the page has nothing else to do; a browser that cannot tell, after a while. */
export function whenIdle(deed: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(deed);
  else setTimeout(deed, 2_000);
}
