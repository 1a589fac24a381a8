import { expect, it } from "vitest";
import { matchingTitles, mergedHits, titlePieces } from "./titleMatch";

const chat = (title: string) => ({
  id: title,
  title,
  folderId: null,
  isArchived: false,
  createdAtMs: 0,
});
const CHATS = ["Cooking pasta", "Übung macht den Meister", "Pasta for Übung"].map(chat);

it.each([
  ["pasta", ["Cooking pasta", "Pasta for Übung"]],
  ["PAST", ["Cooking pasta", "Pasta for Übung"]],
  ["ubung", ["Übung macht den Meister", "Pasta for Übung"]],
  ["übung pasta", ["Pasta for Übung"]],
  ["soup", []],
  [" ", []],
  // Only the gateway knows what these mean.
  ['"cooking pasta"', []],
  ["pasta -cooking", []],
  ["pasta or soup", []],
])("%s", (query, titles) => {
  expect(matchingTitles(CHATS, query).map(({ title }) => title)).toEqual(titles);
});

it.each([
  ["pasta", "Cooking pasta", "Cooking [pasta]"],
  ["uBUNG", "Übung macht", "[Übung] macht"],
  ["a", "banana", "b[a]n[a]n[a]"],
  ["ana", "banana", "b[anana]"],
  ["soup", "Cooking", "Cooking"],
  ["", "Cooking", "Cooking"],
  ["e\u0301te", "Été ou été", "[Été] ou [été]"],
  ["rain", "🌧 rain", "🌧 [rain]"],
])("%s in %s", (query, title, marked) => {
  const text = titlePieces(title, query).map((piece) =>
    piece.isMatch ? `[${piece.text}]` : piece.text,
  );
  expect(text.join("")).toBe(marked);
});

it("shows each chat once, local ones first and with what the gateway found in them", () => {
  const [one, two] = [chat("one"), chat("two")];
  const snippet = [{ text: "here", isMatch: true }];
  const found = { ...one, snippet };
  expect(mergedHits([one], [two, found])).toEqual([found, two]);
});
