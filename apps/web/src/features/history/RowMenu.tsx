import { Menu, MenuContent, MenuTrigger } from "@/components/ui/menu";
import { cn } from "@/lib/classNames";
import { Ellipsis } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useList } from "./listContext";

interface RowMenuProps {
  rowKey: string;
  name: string;
  isOpen: boolean;
  isTabStop: boolean;
  children: ReactNode;
}

const BUTTON_CLASSES = cn(
  "absolute inset-y-0 end-0 flex w-9 items-center justify-center rounded-lg text-muted-foreground hover:text-foreground pointer-coarse:w-11",
  "opacity-0 group-hover/row:opacity-100 focus-visible:opacity-100 data-[state=open]:opacity-100 pointer-coarse:opacity-100",
);

/** The menu of a row. Only an open one is a menu: hundreds of rows scroll by. */
export function RowMenu({ rowKey, name, isOpen, isTabStop, children }: RowMenuProps) {
  const { t } = useTranslation("history");
  const { setMode, closeMenu, focus } = useList();
  const button = {
    "aria-label": t("options", { name }),
    tabIndex: isTabStop ? 0 : -1,
    className: BUTTON_CLASSES,
    children: <Ellipsis className="size-4" />,
  };
  if (!isOpen) {
    return (
      <button
        type="button"
        aria-haspopup="menu"
        aria-expanded={false}
        onClick={() => setMode({ key: rowKey, kind: "menu" })}
        {...button}
      />
    );
  }
  return (
    <Menu open onOpenChange={(open) => !open && closeMenu()}>
      <MenuTrigger {...button} />
      <MenuContent
        ref={focusFirstItem}
        align="start"
        onCloseAutoFocus={(event) => {
          event.preventDefault();
          focus(rowKey);
        }}
      >
        {children}
      </MenuContent>
    </Menu>
  );
}

/** The menu is made when it is opened, too late to know whether a key has done it. */
function focusFirstItem(menu: HTMLElement | null): void {
  setTimeout(() => menu?.querySelector<HTMLElement>("[role=menuitem]")?.focus());
}
