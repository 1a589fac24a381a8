import { IconButton } from "@/components/ui/iconButton";
import { ChatPage } from "@/features/chat/ChatPage";
import { ComposerArea } from "@/features/composer/ComposerArea";
import { useChatTitle } from "@/features/history/useHistory";
import { ModelSelector } from "@/features/models/ModelSelector";
import { useModels } from "@/features/models/useModels";
import { MOD_KEY } from "@/lib/modKey";
import { useDocumentTitle } from "@/lib/useDocumentTitle";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { PanelLeft, SquarePen } from "lucide-react";
import { ConfirmCommand } from "./ConfirmCommand";
import { useChatId } from "./useChatId";
import { useCommands } from "./useCommands";
import { useSidebar } from "./useSidebar";

export function ChatRoute() {
  const { chatId, isNew } = useChatId();
  const { query } = useSearch({ strict: false });
  const { models, model, choose } = useModels();
  const { isOpen, toggle } = useSidebar();
  const navigate = useNavigate();
  const command = useCommands({ chatId, isNew, models: models ?? [], onChooseModel: choose });
  useDocumentTitle(useChatTitle(chatId));

  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-1 px-2.5">
        {!isOpen && (
          <>
            <IconButton
              label="Open sidebar"
              shortcut={`${MOD_KEY} B`}
              data-testid="sidebar-toggle-button"
              onClick={toggle}
            >
              <PanelLeft className="size-[18px]" />
            </IconButton>
            <IconButton
              label="New chat"
              shortcut={`${MOD_KEY} Shift O`}
              onClick={() => void navigate({ to: "/" })}
            >
              <SquarePen className="size-[18px]" />
            </IconButton>
          </>
        )}
        <ModelSelector models={models} model={model} onChoose={choose} />
      </header>
      <ChatPage
        key={chatId}
        chatId={chatId}
        isNew={isNew}
        model={model}
        onFirstSend={() =>
          void navigate({ to: "/chat/$chatId", params: { chatId }, replace: true })
        }
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
      />
      <ConfirmCommand
        danger={command.danger}
        onConfirm={() => void command.confirm()}
        onClose={command.dismiss}
      />
    </>
  );
}
