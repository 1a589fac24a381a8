import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import type { Model } from "@/lib/api/models";
import { errorMessage } from "@/lib/errors";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { ConversationView, type RenderComposer } from "./ConversationView";
import { DocumentSlot, type RenderDocument } from "./documentSlot";
import { useConversation } from "./useConversation";

interface ChatPageProps {
  chatId: string;
  isNew: boolean;
  model: Model | undefined;
  onFirstSend: () => void;
  renderComposer: RenderComposer;
  /** How a call that writes a document looks; it has a card like any other where this is absent. */
  renderDocument?: RenderDocument;
}

export function ChatPage(props: ChatPageProps) {
  const { chatId, isNew, model, onFirstSend, renderComposer, renderDocument } = props;
  const { conversation, error, isReadonly } = useConversation(chatId, isNew);
  if (error) return <Unavailable reason={errorMessage(error)} />;
  if (!conversation) return <Loading />;
  return (
    <DocumentSlot value={renderDocument}>
      <ConversationView
        conversation={conversation}
        model={model}
        isReadonly={isReadonly}
        onFirstSend={onFirstSend}
        renderComposer={renderComposer}
      />
    </DocumentSlot>
  );
}

function Loading() {
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-1 flex-col gap-7 px-6 pt-6">
      <Skeleton className="h-11 w-2/5 self-end rounded-3xl" />
      <div className="flex flex-col gap-3">
        <Skeleton className="h-4 w-full" />
        <Skeleton className="h-4 w-11/12" />
        <Skeleton className="h-4 w-3/5" />
      </div>
    </div>
  );
}

function Unavailable({ reason }: { reason: string }) {
  const { t } = useTranslation();
  return (
    <div className="flex flex-1 flex-col items-center justify-center gap-5 px-6 text-center">
      <p role="alert" className="text-muted-foreground">
        {reason}
      </p>
      <Link to="/">
        <Button tabIndex={-1}>{t("startChat")}</Button>
      </Link>
    </div>
  );
}
