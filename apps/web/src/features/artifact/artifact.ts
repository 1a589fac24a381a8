/** The document beside a chat: which one is shown, and the one that is being written. */
import { type DocumentKind, documentKindSchema } from "@/lib/api/documents";

export interface DocumentRef {
  id: string;
  title: string;
  kind: DocumentKind;
}

export interface DocumentStream extends DocumentRef {
  content: string;
  /** All has come; the stored version is about to take its place. */
  isDone: boolean;
}

export interface ArtifactState {
  isOpen: boolean;
  shown?: DocumentRef;
  stream?: DocumentStream;
  /** Of the next document, until its first `clear`. */
  announced?: Partial<DocumentRef>;
}

export interface DataPart {
  name: string;
  data: unknown;
}

export const NOTHING: ArtifactState = { isOpen: false };

/** How long a document is when it opens by itself: shorter ones wait for a click. */
const OPENING_CHARS: Record<DocumentKind, number> = { text: 400, code: 300, sheet: 0, image: 0 };

/** The state after a part of an answer; parts of other things change nothing. */
export function reduceArtifact(state: ArtifactState, { name, data }: DataPart): ArtifactState {
  switch (name) {
    case "kind": {
      const kind = documentKindSchema.safeParse(data);
      return kind.success ? announce(state, { kind: kind.data }) : state;
    }
    case "id":
      return announce(state, { id: String(data) });
    case "title":
      return announce(state, { title: String(data) });
    case "clear":
      return cleared(state);
    case "textDelta":
      return grown(state, (content) => content + String(data));
    case "codeDelta":
    case "sheetDelta":
      return grown(state, () => String(data));
    case "finish":
      return state.stream ? { ...state, stream: { ...state.stream, isDone: true } } : state;
    default:
      return state;
  }
}

/** The stored version has arrived: what was streamed is not needed any more. */
export function settle(state: ArtifactState, id: string): ArtifactState {
  if (state.stream?.id !== id || !state.stream.isDone) return state;
  const { stream: _, ...rest } = state;
  return rest;
}

export function open(state: ArtifactState, shown: DocumentRef): ArtifactState {
  return { ...state, shown, isOpen: true };
}

export function close(state: ArtifactState): ArtifactState {
  return { ...state, isOpen: false };
}

function announce(state: ArtifactState, more: Partial<DocumentRef>): ArtifactState {
  return { ...state, announced: { ...state.announced, ...more } };
}

/** The first `clear` begins the announced document, a later one begins its text again. */
function cleared({ announced, ...state }: ArtifactState): ArtifactState {
  if (!announced) return grown(state, () => "");
  const { id, title = "", kind = "text" } = announced;
  if (!id) return state;
  const begun = { ...state, stream: { id, title, kind, content: "", isDone: false } };
  const isSeen = state.isOpen || OPENING_CHARS[kind] === 0;
  return isSeen ? open(begun, { id, title, kind }) : begun;
}

function grown(state: ArtifactState, change: (content: string) => string): ArtifactState {
  const { stream } = state;
  if (!stream) return state;
  const { id, title, kind } = stream;
  const next = { ...state, stream: { ...stream, content: change(stream.content) } };
  const limit = OPENING_CHARS[kind];
  const hasPassed = stream.content.length < limit && next.stream.content.length >= limit;
  return hasPassed ? open(next, { id, title, kind }) : next;
}
