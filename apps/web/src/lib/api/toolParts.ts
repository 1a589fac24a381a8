/** Calls of tools within an answer, as the UI message protocol has them. */
import { type DynamicToolUIPart, type ToolUIPart, getToolName, isToolUIPart } from "ai";

export type ToolPart = ToolUIPart | DynamicToolUIPart;

const DOCUMENT_TOOLS = new Set([
  "createDocument",
  "updateDocument",
  "editDocument",
  "requestSuggestions",
]);

export { isToolUIPart as isToolPart, getToolName as toolName };

/** Whether the call writes a document, which is shown beside the chat. */
export function isDocumentTool(tool: ToolPart): boolean {
  return DOCUMENT_TOOLS.has(getToolName(tool));
}
