import { Tooltip } from "radix-ui";
import { Button, type ButtonProps } from "./button";

interface IconButtonProps extends Omit<ButtonProps, "aria-label"> {
  /** Read by screen readers and shown on hover and focus. */
  label: string;
  shortcut?: string;
}

export function IconButton({
  label,
  shortcut,
  variant = "ghost",
  size = "icon",
  ...props
}: IconButtonProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <Button variant={variant} size={size} aria-label={label} {...props} />
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 flex animate-in gap-2 rounded-lg bg-foreground px-2.5 py-1.5 text-xs font-medium text-background fade-in-0"
        >
          {label}
          {shortcut && <span className="opacity-60">{shortcut}</span>}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
