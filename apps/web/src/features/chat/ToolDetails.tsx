import type { ToolPart } from "@/lib/api/toolParts";
import { useTranslation } from "react-i18next";
import { JsonBlock } from "./JsonBlock";

export function ToolDetails({ tool }: { tool: ToolPart }) {
  const { t } = useTranslation("chat");
  return (
    <div className="flex flex-col gap-3 border-t px-3.5 py-3">
      {tool.input !== undefined && tool.state !== "approval-requested" && (
        <JsonBlock label={t("input")} value={tool.input} />
      )}
      {tool.state === "output-available" && <JsonBlock label={t("output")} value={tool.output} />}
      {tool.state === "output-error" && (
        <p className="wrap-anywhere whitespace-pre-wrap text-danger">{tool.errorText}</p>
      )}
    </div>
  );
}
