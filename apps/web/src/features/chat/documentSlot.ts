/** Who shows documents hands in how their calls look within the conversation. */
import type { ToolPart } from "@/lib/api/toolParts";
import { type ReactNode, createContext } from "react";

export type RenderDocument = (tool: ToolPart) => ReactNode;

export const DocumentSlot = createContext<RenderDocument | undefined>(undefined);
