import { useQueryClient } from "@tanstack/react-query";
import { HISTORY_KEY } from "@/lib/api/history";
import { reread } from "@/lib/queryClient";
import { ChatMenu } from "./ChatMenu";
import { useChatSettings } from "./chatSettings";
import { VisibilitySelector } from "./VisibilitySelector";

interface ChatHeaderProps {
  chatId: string;
  title: string | undefined;
  /** The chat is no longer there to be seen: it is deleted, or in the archive. */
  onGone: () => void;
}

/** What concerns a whole chat: who sees it, and its menu. */
export function ChatHeader({ chatId, title, onGone }: ChatHeaderProps) {
  const client = useQueryClient();
  const { isReadonly, isStored } = useChatSettings(chatId);
  if (isReadonly) return null;
  return (
    <div className="ms-auto flex items-center gap-1">
      <VisibilitySelector chatId={chatId} />
      {isStored && (
        <ChatMenu
          chatId={chatId}
          title={title ?? ""}
          onGone={onGone}
          onChanged={() => void reread(client, HISTORY_KEY)}
        />
      )}
    </div>
  );
}
