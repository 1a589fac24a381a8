import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import { changeChat, deleteChat } from "@/lib/api/chat";
import { notifyError, notifySuccess } from "@/lib/notify";
import { useCopy } from "@/lib/useCopy";
import { Archive, Ellipsis, FileDown, Link, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { settingsOf } from "./chatSettings";
import { RenameDialog } from "./RenameDialog";
import { useExport } from "./useExport";

interface ChatMenuProps {
  chatId: string;
  title: string;
  onChanged: () => void;
  onGone: () => void;
}

export function ChatMenu({ chatId, title, onChanged, onGone }: ChatMenuProps) {
  const { t } = useTranslation("chat");
  const [dialog, setDialog] = useState<"rename" | "delete">();
  const { copy } = useCopy();
  const exportChat = useExport(chatId, title);

  async function change(act: () => Promise<void>, after?: () => void): Promise<void> {
    try {
      await act();
      after?.();
      onChanged();
    } catch (error) {
      void notifyError(error);
    }
  }

  async function share(): Promise<void> {
    await copy(`${location.origin}/chat/${chatId}`);
    void notifySuccess(t(`linkCopied.${settingsOf(chatId).get().visibility}`));
  }

  return (
    <>
      <Menu>
        <MenuTrigger asChild>
          <Button
            variant="ghost"
            size="icon"
            data-testid="chat-menu"
            aria-label={t("menu")}
            className="pointer-coarse:size-11"
          >
            <Ellipsis className="size-[18px]" />
          </Button>
        </MenuTrigger>
        {/* Closing must not take the focus back from the dialog that the choice opened. */}
        <MenuContent align="end" onCloseAutoFocus={(event) => dialog && event.preventDefault()}>
          <MenuItem onSelect={() => void share()}>
            <Link />
            {t("copyLink")}
          </MenuItem>
          <MenuItem onSelect={() => void exportChat()}>
            <FileDown />
            {t("export")}
          </MenuItem>
          <MenuItem onSelect={() => setDialog("rename")}>
            <Pencil />
            {t("rename")}
          </MenuItem>
          <MenuItem
            onSelect={() => void change(() => changeChat(chatId, { isArchived: true }), onGone)}
          >
            <Archive />
            {t("archive")}
          </MenuItem>
          <MenuItem
            onSelect={() => setDialog("delete")}
            className="text-danger [&_svg]:text-danger"
          >
            <Trash2 />
            {t("delete")}
          </MenuItem>
        </MenuContent>
      </Menu>
      <RenameDialog
        isOpen={dialog === "rename"}
        title={title}
        onClose={() => setDialog(undefined)}
        onRename={(name) => void change(() => changeChat(chatId, { title: name }))}
      />
      <ConfirmDialog
        isOpen={dialog === "delete"}
        onClose={() => setDialog(undefined)}
        onConfirm={() => void change(() => deleteChat(chatId), onGone)}
        title={t("deleteQuestion")}
        description={t("deleteWarning", { title })}
        confirmLabel={t("delete")}
      />
    </>
  );
}
