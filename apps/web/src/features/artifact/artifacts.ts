/** The documents beside the chats. Outside React: what is written while another chat is read counts too. */
import { type AnswerData, onAnswerData } from "@/lib/answerData";
import { documentKey, fetchVersions, suggestionSchema, suggestionsKey } from "@/lib/api/documents";
import { queryClient, reread } from "@/lib/queryClient";
import { type Signal, createSignal, useSignal } from "@/lib/signal";
import {
  type ArtifactState,
  type DocumentRef,
  NOTHING,
  close,
  open,
  reduceArtifact,
  settle,
} from "./artifact";

const states = new Map<string, Signal<ArtifactState>>();

export function useArtifact(chatId: string): ArtifactState {
  return useSignal(stateOf(chatId));
}

export function openDocument(chatId: string, document: DocumentRef): void {
  change(chatId, (state) => open(state, document));
}

export function closeDocument(chatId: string): void {
  change(chatId, close);
}

onAnswerData((part) => {
  const { chatId, name, data } = part;
  change(chatId, (state) => reduceArtifact(state, { name, data }));
  if (name === "finish") void finish(part);
  if (name === "suggestion") void readSuggestions(data);
});

async function finish({ chatId }: AnswerData): Promise<void> {
  const id = stateOf(chatId).get().stream?.id;
  if (!id) return;
  const queryKey = documentKey(id);
  await queryClient.cancelQueries({ queryKey }); // a read that has begun may lack what is written
  await queryClient.prefetchQuery({
    queryKey,
    queryFn: ({ signal }) => fetchVersions(id, chatId, signal),
    staleTime: 0,
  });
  change(chatId, (state) => settle(state, id));
}

async function readSuggestions(data: unknown): Promise<void> {
  const suggestion = suggestionSchema.safeParse(data);
  if (!suggestion.success) return;
  await reread(queryClient, suggestionsKey(suggestion.data.documentId));
}

function change(chatId: string, next: (state: ArtifactState) => ArtifactState): void {
  const signal = stateOf(chatId);
  const state = signal.get();
  const changed = next(state);
  if (changed !== state) signal.set(changed);
}

function stateOf(chatId: string): Signal<ArtifactState> {
  const known = states.get(chatId);
  if (known) return known;
  const signal = createSignal(NOTHING);
  states.set(chatId, signal);
  return signal;
}
