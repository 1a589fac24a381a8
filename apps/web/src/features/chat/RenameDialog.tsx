import { Button } from "@/components/ui/button";
import { Dialog } from "radix-ui";
import { type SubmitEvent, useId } from "react";
import { useTranslation } from "react-i18next";

interface RenameDialogProps {
  isOpen: boolean;
  title: string;
  onClose: () => void;
  onRename: (title: string) => void;
}

export function RenameDialog({ isOpen, title, onClose, onRename }: RenameDialogProps) {
  const { t } = useTranslation(["chat", "common"]);
  const id = useId();

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("title")).trim();
    if (name && name !== title) onRename(name);
    onClose();
  }

  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-50 bg-black/35 data-[state=open]:animate-in data-[state=open]:fade-in-0" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-0 top-1/2 z-50 mx-auto w-[min(26rem,calc(100vw-2rem))] -translate-y-1/2 rounded-2xl border bg-surface p-6 shadow-float"
        >
          <Dialog.Title className="font-semibold tracking-tight">{t("renameTitle")}</Dialog.Title>
          <form onSubmit={submit} className="mt-4 flex flex-col gap-6">
            <label htmlFor={id} className="flex flex-col gap-1.5 text-sm text-muted-foreground">
              {t("title")}
              <input
                id={id}
                name="title"
                defaultValue={title}
                required
                maxLength={200}
                autoComplete="off"
                className="h-11 rounded-xl border bg-background px-3 text-foreground"
              />
            </label>
            <div className="flex justify-end gap-2">
              <Button onClick={onClose}>{t("common:cancel")}</Button>
              <Button type="submit" variant="primary">
                {t("rename")}
              </Button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
