const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** Waits twice as long before each attempt, but no longer than until the browser is back online. */
export function pauseBefore(attempt: number, signal?: AbortSignal): Promise<void> {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const endWith = (settle: () => void) => () => {
      clearTimeout(timer);
      ended.abort();
      settle();
    };
    const timer = setTimeout(endWith(resolve), pauseMs);
    window.addEventListener("online", endWith(resolve), { signal: ended.signal });
    signal?.addEventListener(
      "abort",
      endWith(() => reject(signal.reason)),
      { signal: ended.signal },
    );
  });
}
