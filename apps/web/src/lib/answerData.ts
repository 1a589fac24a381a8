/** The data parts of answers as they arrive, for what shows them beside the chat. */
export interface AnswerData {
  chatId: string;
  /** Without its `data-`: `kind`, `textDelta`, … */
  name: string;
  data: unknown;
}

type Listener = (part: AnswerData) => void;

const listeners = new Set<Listener>();

export function publishAnswerData(part: AnswerData): void {
  for (const listener of listeners) listener(part);
}

/** Returns what ends it. */
export function onAnswerData(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
