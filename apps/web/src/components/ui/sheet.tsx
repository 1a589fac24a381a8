import { Dialog } from "radix-ui";
import type { ReactNode } from "react";

interface SheetProps {
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  label: string;
  children: ReactNode;
}

/** A panel that slides in from the side over the page, for small screens. */
export function Sheet({ isOpen, onOpenChange, label, children }: SheetProps) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/35 data-[state=closed]:animate-out data-[state=closed]:fade-out-0 data-[state=open]:animate-in data-[state=open]:fade-in-0" />
        <Dialog.Content
          aria-describedby={undefined}
          // The panel itself takes the focus: on its first button it would open that one's tooltip.
          onOpenAutoFocus={focusPanel}
          tabIndex={-1}
          className="fixed inset-y-0 start-0 z-40 w-[min(19rem,85vw)] shadow-float duration-200 outline-none data-[state=closed]:animate-out data-[state=closed]:slide-out-to-start data-[state=open]:animate-in data-[state=open]:slide-in-from-start"
        >
          <Dialog.Title className="sr-only">{label}</Dialog.Title>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function focusPanel(event: Event): void {
  event.preventDefault();
  if (event.currentTarget instanceof HTMLElement) event.currentTarget.focus();
}
