import { useReturnFocus } from "@/lib/useReturnFocus";
import { AlertDialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Button } from "./button";

interface QuestionProps {
  onClose: () => void;
  onConfirm: () => void;
  title: string;
  description: string;
  confirmLabel: string;
}

/** Asks before something that cannot be undone. */
export function ConfirmDialog({ isOpen, ...question }: QuestionProps & { isOpen: boolean }) {
  return isOpen && <Question {...question} />;
}

function Question({ onClose, onConfirm, ...words }: QuestionProps) {
  const { t } = useTranslation("common");
  const returnFocus = useReturnFocus();
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-50 bg-black/35 backdrop-blur-[1px] data-[state=open]:animate-in data-[state=open]:fade-in-0" />
        <AlertDialog.Content
          {...returnFocus}
          className="fixed inset-x-0 top-1/2 z-50 mx-auto w-[min(26rem,calc(100vw-2rem))] -translate-y-1/2 rounded-2xl border bg-surface p-6 shadow-float data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-97"
        >
          <AlertDialog.Title className="font-semibold tracking-tight">
            {words.title}
          </AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-sm leading-relaxed text-muted-foreground">
            {words.description}
          </AlertDialog.Description>
          <div className="mt-6 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{t("cancel")}</Button>
            </AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <Button variant="danger" onClick={onConfirm}>
                {words.confirmLabel}
              </Button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
