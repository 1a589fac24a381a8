/** A conversation as a markdown document. */
import { type ChatMessage, messageText } from "@/lib/api/messages";
import { safeLink } from "./links";

export interface ExportWords {
  question: string;
  answer: string;
  sources: string;
}

export function conversationMarkdown(
  title: string,
  messages: ChatMessage[],
  words: ExportWords,
): string {
  const turns = messages.map((message) => turnMarkdown(message, words));
  return `${[`# ${title}`, ...turns].join("\n\n")}\n`;
}

function turnMarkdown(message: ChatMessage, words: ExportWords): string {
  const files = message.parts.flatMap((part) =>
    part.type === "file" ? [`*${part.filename || part.mediaType}*`] : [],
  );
  const sources = message.parts.flatMap((part) => {
    const url = part.type === "source-url" ? safeLink(part.url) : undefined;
    return part.type === "source-url" && url ? [`- [${part.title || url}](<${url}>)`] : [];
  });
  return [
    `## ${message.role === "user" ? words.question : words.answer}`,
    ...files,
    messageText(message),
    ...(sources.length > 0 ? [`${words.sources}:\n\n${sources.join("\n")}`] : []),
  ]
    .filter(Boolean)
    .join("\n\n");
}

/** A name that every file system takes. */
export function fileName(title: string): string {
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return `${name.slice(0, 60) || "chat"}.md`;
}

export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
