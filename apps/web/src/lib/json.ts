/** `undefined` for text that is not JSON: it came from outside, and the caller validates it anyway. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
