import type { ChatMessage } from "@/lib/api/messages";
import { expect, it } from "vitest";
import { conversationMarkdown, fileName } from "./exportMarkdown";

const WORDS = { question: "You", answer: "Answer", sources: "Sources" };

it("writes questions, answers, files and sources", () => {
  const messages: ChatMessage[] = [
    {
      id: "1",
      role: "user",
      parts: [
        { type: "file", mediaType: "image/png", filename: "dot.png", url: "/api/files/1" },
        { type: "text", text: "What is this?" },
      ],
    },
    {
      id: "2",
      role: "assistant",
      parts: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "A **dot**." },
        { type: "source-url", sourceId: "s", url: "https://example.com/dots", title: "On dots" },
        { type: "source-url", sourceId: "t", url: "javascript:alert(1)", title: "Bad" },
      ],
    },
  ];
  expect(conversationMarkdown("Dots", messages, WORDS)).toBe(`# Dots

## You

*dot.png*

What is this?

## Answer

A **dot**.

Sources:

- [On dots](<https://example.com/dots>)
`);
});

it("names the file after the chat", () => {
  expect(fileName("Über Flüsse: Rhein/Main?")).toBe("Über-Flüsse-Rhein-Main.md");
  expect(fileName("../..")).toBe("chat.md");
});
