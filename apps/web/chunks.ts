/**
 * Few files instead of many: to ask for one costs the page 2 ms of its main thread, whatever its
 * size, and a first visit needs the chat and the list of chats anyway.
 */
import { resolve } from "node:path";
import type { Rolldown } from "vite";

/** What the page opens with, what stands around every page, and the chat. */
export const chunks: Rolldown.CodeSplittingGroup[] = [
  { name: "page", tags: ["$initial"] },
  { name: allOf("frame", "src/routes/Frame.tsx"), debugName: "frame" },
  { name: allOf("chat", "src/routes/ChatRoute.tsx"), debugName: "chat" },
];

/** A chunk of this module and all that it imports, but for what an earlier one has. */
function allOf(name: string, path: string): Rolldown.CodeSplittingNameFunction {
  let needed: Set<string> | undefined;
  return (moduleId, graph) => {
    needed ??= reachable(resolve(import.meta.dirname, path), graph);
    return needed.has(moduleId) ? name : null;
  };
}

function reachable(root: string, graph: Rolldown.ChunkingContext): Set<string> {
  const found = new Set([root]);
  for (const id of found) {
    for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  }
  return found;
}
