import { type ToolPart, toolName } from "@/lib/api/toolParts";

export type ToolState = "running" | "waiting" | "done" | "failed" | "denied";

/** What a person wants to know of the protocol's states. */
export function toolState(tool: ToolPart): ToolState {
  const isHalfDone = tool.state === "output-available" && tool.preliminary;
  return isHalfDone ? "running" : STATES[tool.state];
}

const STATES: Record<ToolPart["state"], ToolState> = {
  "input-streaming": "running",
  "input-available": "running",
  "approval-requested": "waiting",
  "approval-responded": "running",
  "output-available": "done",
  "output-error": "failed",
  "output-denied": "denied",
};

/** Whether this is a whole result of the tool called `name`. */
export function isOutputOf(
  tool: ToolPart,
  name: string,
): tool is Extract<ToolPart, { state: "output-available" }> {
  return tool.state === "output-available" && !tool.preliminary && toolName(tool) === name;
}
