import { cn } from "@/lib/classNames";
import { ChevronRight } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ComponentProps } from "react";

const ITEM_CLASSES =
  "flex items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm outline-none select-none data-highlighted:bg-muted pointer-coarse:py-2.5 [&_svg]:size-4 [&_svg]:text-muted-foreground";

export const Menu = DropdownMenu.Root;
export const MenuTrigger = DropdownMenu.Trigger;
export const MenuSub = DropdownMenu.Sub;
export const MenuRadioGroup = DropdownMenu.RadioGroup;

const PANEL_CLASSES =
  "z-50 min-w-44 rounded-xl border bg-surface p-1 shadow-float data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-97";

export function MenuContent({ className, ...props }: ComponentProps<typeof DropdownMenu.Content>) {
  return (
    <DropdownMenu.Portal>
      <DropdownMenu.Content
        sideOffset={6}
        collisionPadding={8}
        className={cn(PANEL_CLASSES, className)}
        {...props}
      />
    </DropdownMenu.Portal>
  );
}

export function MenuItem({ className, ...props }: ComponentProps<typeof DropdownMenu.Item>) {
  return <DropdownMenu.Item className={cn(ITEM_CLASSES, className)} {...props} />;
}

export function MenuRadioItem({
  className,
  ...props
}: ComponentProps<typeof DropdownMenu.RadioItem>) {
  return (
    <DropdownMenu.RadioItem
      className={cn(
        ITEM_CLASSES,
        "data-[state=checked]:text-accent-text data-[state=checked]:[&_svg]:text-accent-text",
        className,
      )}
      {...props}
    />
  );
}

export function MenuLabel(props: ComponentProps<typeof DropdownMenu.Label>) {
  return (
    <DropdownMenu.Label className="px-2.5 pt-2 pb-1 text-xs text-muted-foreground" {...props} />
  );
}

export function MenuSubTrigger({
  children,
  ...props
}: ComponentProps<typeof DropdownMenu.SubTrigger>) {
  return (
    <DropdownMenu.SubTrigger className={cn(ITEM_CLASSES, "data-[state=open]:bg-muted")} {...props}>
      {children}
      <ChevronRight className="ms-auto rtl:-scale-x-100" />
    </DropdownMenu.SubTrigger>
  );
}

export function MenuSubContent(props: ComponentProps<typeof DropdownMenu.SubContent>) {
  return (
    <DropdownMenu.Portal>
      <DropdownMenu.SubContent
        sideOffset={4}
        collisionPadding={8}
        className={cn(PANEL_CLASSES, "max-h-80 scrollbar-quiet overflow-y-auto")}
        {...props}
      />
    </DropdownMenu.Portal>
  );
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className="mx-2 my-1 border-t" />;
}
