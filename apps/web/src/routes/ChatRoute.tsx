import { IconButton } from "@/components/ui/iconButton";
import { DocumentCard } from "@/features/artifact/DocumentCard";
import { useArtifact } from "@/features/artifact/artifacts";
import { ChatHeader } from "@/features/chat/ChatHeader";
import { ChatPage } from "@/features/chat/ChatPage";
import { askChat } from "@/features/chat/askChat";
import type { RenderDocument } from "@/features/chat/documentSlot";
import { ComposerArea } from "@/features/composer/ComposerArea";
import { useChatTitle } from "@/features/history/useChatTitle";
import { ModelSelector } from "@/features/models/ModelSelector";
import { useModels } from "@/features/models/useModels";
import { sessionQuery } from "@/features/session/sessionQuery";
import { MOD_KEY } from "@/lib/modKey";
import { useDocumentTitle } from "@/lib/useDocumentTitle";
import { useMediaQuery } from "@/lib/useMediaQuery";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { SquarePen } from "lucide-react";
import { Suspense, lazy, useCallback } from "react";
import { ConfirmCommand } from "./ConfirmCommand";
import { useTranslation } from "react-i18next";
import { OpenSidebar } from "./OpenSidebar";
import { useChatId } from "./useChatId";
import { useCommands } from "./useCommands";
import { useSidebar } from "./useSidebar";

const ArtifactPanel = lazy(() => import("@/features/artifact/ArtifactPanel"));

/** A conversation, and beside it the document that is open; a phone shows one of them. */
export function ChatRoute() {
  const { t } = useTranslation("history");
  const { chatId, isNew } = useChatId();
  const { query } = useSearch({ strict: false });
  const { models, model, choose } = useModels();
  const { isOpen } = useSidebar();
  const navigate = useNavigate();
  const command = useCommands({ chatId, isNew, models: models ?? [], onChooseModel: choose });
  const { data: user } = useQuery(sessionQuery);
  const artifact = useArtifact(chatId);
  const shown = artifact.isOpen ? artifact.shown : undefined;
  const isCovered = useMediaQuery("(max-width: 767px)") && shown !== undefined;
  const renderDocument = useCallback<RenderDocument>(
    (tool) => <DocumentCard chatId={chatId} tool={tool} />,
    [chatId],
  );
  const title = useChatTitle(chatId);
  useDocumentTitle(title);

  return (
    <div className="flex min-h-0 flex-1">
      <div inert={isCovered} className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-14 shrink-0 items-center gap-1 px-2.5">
          {!isNew && <h1 className="sr-only">{title ?? t("chat")}</h1>}
          <OpenSidebar />
          {!isOpen && (
            <IconButton
              label={t("newChat")}
              shortcut={`${MOD_KEY} Shift O`}
              onClick={() => void navigate({ to: "/" })}
            >
              <SquarePen className="size-[18px]" />
            </IconButton>
          )}
          <ModelSelector models={models} model={model} onChoose={choose} />
          <ChatHeader chatId={chatId} title={title} onGone={() => void navigate({ to: "/" })} />
        </header>
        <ChatPage
          key={chatId}
          chatId={chatId}
          isNew={isNew}
          model={model}
          renderDocument={renderDocument}
          renderComposer={(answering) => (
            <ComposerArea
              chatId={chatId}
              isNew={isNew}
              initialText={query ?? ""}
              model={model}
              commands={command.commands}
              {...answering}
            />
          )}
          onFirstSend={() =>
            void navigate({ to: "/chat/$chatId", params: { chatId }, replace: true })
          }
        />
      </div>
      {shown && (
        <Suspense>
          <ArtifactPanel
            key={shown.id}
            chatId={chatId}
            shown={shown}
            stream={artifact.stream}
            userId={user?.id}
            onAsk={(text) => askChat(chatId, text)}
          />
        </Suspense>
      )}
      <ConfirmCommand
        danger={command.danger}
        onConfirm={() => void command.confirm()}
        onClose={command.dismiss}
      />
    </div>
  );
}
