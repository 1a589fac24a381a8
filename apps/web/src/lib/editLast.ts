/** From the empty box, Up edits the last question: the composer asks, the conversation does it. */
type Listener = () => void;

const listeners = new Set<Listener>();

export function askToEditLast(): void {
  for (const listener of listeners) listener();
}

/** Returns what ends it. */
export function onAskToEditLast(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
