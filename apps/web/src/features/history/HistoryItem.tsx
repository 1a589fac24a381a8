import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import type { ChatSummary } from "@/lib/api/history";
import { cn } from "@/lib/classNames";
import { Link } from "@tanstack/react-router";
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { TitleField } from "./TitleField";
import { useDeleteChat, useRenameChat } from "./useHistory";

interface HistoryItemProps {
  chat: ChatSummary;
  isActive: boolean;
  onNavigate: () => void;
  onDeleted: (chatId: string) => void;
}

type Mode = "reading" | "renaming" | "deleting";

export const HistoryItem = memo(function HistoryItem(props: HistoryItemProps) {
  const { chat, isActive, onNavigate, onDeleted } = props;
  const [mode, setMode] = useState<Mode>("reading");
  const rename = useRenameChat();
  const remove = useDeleteChat();
  const finish = () => setMode("reading");

  if (mode === "renaming") {
    return (
      <li>
        <TitleField
          title={chat.title}
          onCancel={finish}
          onSave={(title) => {
            rename({ chatId: chat.id, title });
            finish();
          }}
        />
      </li>
    );
  }
  return (
    <li
      className={cn(
        "group/chat relative rounded-lg transition-colors hover:bg-muted has-data-[state=open]:bg-muted",
        isActive && "bg-muted",
      )}
    >
      <Link
        to="/chat/$chatId"
        params={{ chatId: chat.id }}
        onClick={onNavigate}
        aria-current={isActive ? "page" : undefined}
        title={chat.title}
        className="block truncate rounded-lg py-2 ps-2.5 pe-9 text-sm pointer-coarse:py-3"
      >
        {chat.title}
      </Link>
      <ChatMenu
        title={chat.title}
        onRename={() => setMode("renaming")}
        onDelete={() => setMode("deleting")}
      />
      <ConfirmDialog
        isOpen={mode === "deleting"}
        onClose={finish}
        onConfirm={() => {
          remove(chat.id);
          onDeleted(chat.id);
        }}
        title="Delete this chat?"
        description={`“${chat.title}” and all its messages will be gone for good.`}
        confirmLabel="Delete"
      />
    </li>
  );
});

interface ChatMenuProps {
  title: string;
  onRename: () => void;
  onDelete: () => void;
}

function ChatMenu({ title, onRename, onDelete }: ChatMenuProps) {
  return (
    <Menu>
      <MenuTrigger
        aria-label={`Options for ${title}`}
        className={cn(
          "absolute inset-y-0 end-0 flex w-9 items-center justify-center rounded-lg text-muted-foreground hover:text-foreground",
          "opacity-0 group-hover/chat:opacity-100 focus-visible:opacity-100 data-[state=open]:opacity-100 pointer-coarse:opacity-100",
        )}
      >
        <Ellipsis className="size-4" />
      </MenuTrigger>
      {/* Closing must not take the focus back from the field or dialog that the choice opened. */}
      <MenuContent align="start" onCloseAutoFocus={(event) => event.preventDefault()}>
        <MenuItem onSelect={onRename}>
          <Pencil />
          Rename
        </MenuItem>
        <MenuItem onSelect={onDelete} className="text-danger [&_svg]:text-danger">
          <Trash2 />
          Delete
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
