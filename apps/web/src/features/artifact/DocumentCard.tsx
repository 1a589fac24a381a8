import type { ToolPart } from "@/lib/api/toolParts";
import { toolName } from "@/lib/api/toolParts";
import { cn } from "@/lib/classNames";
import { LoaderCircle } from "lucide-react";
import { useTranslation } from "react-i18next";
import * as z from "zod/mini";
import { closeDocument, openDocument, useArtifact } from "./artifacts";
import type { DocumentRef } from "./artifact";
import { KIND_ICONS } from "./kinds";
import { documentKindSchema } from "@/lib/api/documents";

const refSchema = z.object({ id: z.string(), title: z.string(), kind: documentKindSchema });
const inputSchema = z.object({ title: z.optional(z.string()), id: z.optional(z.string()) });

const DONE_KEYS = {
  createDocument: "card.created",
  updateDocument: "card.changed",
  editDocument: "card.changed",
  requestSuggestions: "card.reviewed",
} as const;

/** A call that writes a document, as it stands in the conversation: opens the panel and closes it. */
export function DocumentCard({ chatId, tool }: { chatId: string; tool: ToolPart }) {
  const { t } = useTranslation("artifact");
  const { isOpen, shown, stream } = useArtifact(chatId);
  const isRunning = tool.state === "input-streaming" || tool.state === "input-available";
  const document = documentOf(tool) ?? (isRunning ? stream : undefined);
  const isShown = isOpen && document !== undefined && shown?.id === document.id;
  if (tool.state === "output-error") {
    return <p className="my-3 text-sm text-danger">{tool.errorText}</p>;
  }
  const Icon = isRunning ? LoaderCircle : KIND_ICONS[document?.kind ?? "text"];
  return (
    <button
      type="button"
      data-testid="document-card"
      aria-expanded={isShown}
      disabled={!document}
      onClick={() => document && toggle(chatId, document, isShown)}
      className={cn(
        "my-3 flex min-h-11 w-full max-w-md items-center gap-3 rounded-xl border bg-surface px-4 py-3 text-start transition-colors hover:bg-muted",
        isShown && "border-accent/60",
      )}
    >
      <Icon className={cn("size-5 shrink-0 text-accent-text", isRunning && "animate-spin")} />
      <span className="min-w-0">
        <span className="block truncate font-medium">
          {document?.title ?? inputSchema.safeParse(tool.input).data?.title ?? t("card.document")}
        </span>
        <span className="block text-xs text-muted-foreground">
          {isRunning ? t("card.writing") : t(doneKey(tool))}
        </span>
      </span>
    </button>
  );
}

function toggle(chatId: string, { id, title, kind }: DocumentRef, isShown: boolean): void {
  if (isShown) closeDocument(chatId);
  else openDocument(chatId, { id, title, kind });
}

function documentOf(tool: ToolPart): DocumentRef | undefined {
  return refSchema.safeParse(tool.output).data;
}

function doneKey(tool: ToolPart) {
  const name = toolName(tool);
  return name in DONE_KEYS ? DONE_KEYS[name as keyof typeof DONE_KEYS] : "card.created";
}
