/** Finding loaded chats by their titles, at once, as the gateway will find them a moment later. */
import type { ChatSummary, FoundChat, Piece } from "@/lib/api/history";

const MARKS = /\p{Mark}/gu;
const LAST_WORD_ENDS = /"|(?:^|\s)(?:-\S|or(?:\s|$))/i;

/** The chats whose titles have all the words; none for what only the gateway understands. */
export function matchingTitles<Chat extends ChatSummary>(chats: Chat[], query: string): Chat[] {
  const words = wordsOf(query);
  if (words.length === 0 || LAST_WORD_ENDS.test(query)) return [];
  return chats.filter(({ title }) => {
    const folded = fold(title);
    return words.every((word) => folded.includes(word));
  });
}

/** The local hits first, with what the gateway found in them, then what only the gateway found. */
export function mergedHits(local: ChatSummary[], remote: FoundChat[]): FoundChat[] {
  const byId = new Map(remote.map((chat) => [chat.id, chat]));
  const localIds = new Set(local.map(({ id }) => id));
  return [
    ...local.map((chat) => byId.get(chat.id) ?? chat),
    ...remote.filter(({ id }) => !localIds.has(id)),
  ];
}

/** The title in pieces, those apart that the query looks for. */
export function titlePieces(title: string, query: string): Piece[] {
  const [folded, places] = foldWithPlaces(title);
  const isMatch = Array.from({ length: title.length }, () => false);
  for (const word of wordsOf(query.replaceAll('"', " "))) {
    for (let at = folded.indexOf(word); at !== -1; at = folded.indexOf(word, at + 1)) {
      const end = places[at + word.length] ?? title.length;
      isMatch.fill(true, places[at] ?? 0, end);
    }
  }
  const pieces: Piece[] = [];
  for (const [place, letter] of title.split("").entries()) {
    const last = pieces.at(-1);
    if (last && last.isMatch === isMatch[place]) last.text += letter;
    else pieces.push({ text: letter, isMatch: isMatch[place] ?? false });
  }
  return pieces;
}

function wordsOf(query: string): string[] {
  return fold(query).split(/\s+/).filter(Boolean);
}

/** Without case and accents, as the gateway compares. */
function fold(text: string): string {
  return text.normalize("NFD").replace(MARKS, "").toLowerCase();
}

/** Also where in the text each folded letter comes from. */
function foldWithPlaces(text: string): [string, number[]] {
  let folded = "";
  const places: number[] = [];
  for (const [place, letter] of text.split("").entries()) {
    for (const part of fold(letter)) {
      folded += part;
      places.push(place);
    }
  }
  return [folded, places];
}
