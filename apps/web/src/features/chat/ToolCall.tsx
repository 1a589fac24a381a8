import { type ToolPart, isDocumentTool, toolName } from "@/lib/api/toolParts";
import { cn } from "@/lib/classNames";
import { ChevronRight } from "lucide-react";
import { use, useState } from "react";
import { useTranslation } from "react-i18next";
import { DocumentSlot } from "./documentSlot";
import { ToolApproval } from "./ToolApproval";
import { ToolDetails } from "./ToolDetails";
import { ToolStateMark } from "./ToolStateMark";
import { isOutputOf, toolState } from "./toolState";
import { Weather } from "./Weather";
import { weatherSchema } from "./weatherReport";

interface ToolCallProps {
  tool: ToolPart;
  /** Only the newest answer can still be decided on. */
  isDecidable: boolean;
}

/** A call of a tool: what is called, how far it is, and on demand what went in and came out. */
export function ToolCall({ tool, isDecidable }: ToolCallProps) {
  const renderDocument = use(DocumentSlot);
  if (renderDocument && isDocumentTool(tool)) return renderDocument(tool);
  const weather = isOutputOf(tool, "getWeather") && weatherSchema.safeParse(tool.output);
  return (
    <>
      <ToolCard tool={tool} isDecidable={isDecidable} />
      {weather && weather.success && <Weather report={weather.data} />}
    </>
  );
}

function ToolCard({ tool, isDecidable }: ToolCallProps) {
  const { t } = useTranslation("chat");
  const [isOpen, setIsOpen] = useState(false);
  const state = toolState(tool);
  const name = tool.title ?? toolName(tool);
  return (
    <section
      data-testid="message-tool"
      data-state={state}
      aria-label={t("toolCall", { name })}
      className="my-3 overflow-hidden rounded-xl border text-sm"
    >
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
        className="flex min-h-10 w-full items-center gap-2.5 px-3.5 py-2 text-start hover:bg-muted/60 pointer-coarse:min-h-11"
      >
        <ToolStateMark state={state} />
        <span className="min-w-0 truncate font-mono text-[13px]">{name}</span>
        <span className="ms-auto shrink-0 text-xs text-muted-foreground">{t(`tool.${state}`)}</span>
        <ChevronRight
          className={cn(
            "size-4 shrink-0 text-muted-foreground transition-transform rtl:rotate-180",
            isOpen && "rotate-90 rtl:rotate-90",
          )}
        />
      </button>
      {tool.state === "approval-requested" && isDecidable && (
        <ToolApproval approvalId={tool.approval.id} input={tool.input} />
      )}
      {isOpen && <ToolDetails tool={tool} />}
    </section>
  );
}
