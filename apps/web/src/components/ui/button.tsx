import { cn } from "@/lib/classNames";
import type { ComponentProps } from "react";

const VARIANT_CLASSES = {
  primary: "bg-foreground text-background hover:bg-foreground/85",
  secondary: "border bg-surface hover:bg-muted",
  ghost: "text-muted-foreground hover:bg-muted hover:text-foreground",
  danger: "bg-danger text-background hover:bg-danger/90",
};
const SIZE_CLASSES = {
  small: "h-8 gap-1.5 rounded-lg px-2.5 text-[13px]",
  medium: "h-9 gap-2 rounded-xl px-3.5 text-sm",
  icon: "size-9 rounded-xl",
  iconSmall: "size-8 rounded-lg pointer-coarse:size-10",
};

export interface ButtonProps extends ComponentProps<"button"> {
  variant?: keyof typeof VARIANT_CLASSES;
  size?: keyof typeof SIZE_CLASSES;
}

export function Button({
  variant = "secondary",
  size = "medium",
  className,
  ...props
}: ButtonProps) {
  return (
    <button
      type="button"
      className={cn(
        "inline-flex shrink-0 items-center justify-center font-medium transition-colors select-none",
        "disabled:pointer-events-none disabled:bg-muted disabled:text-muted-foreground",
        VARIANT_CLASSES[variant],
        SIZE_CLASSES[size],
        className,
      )}
      {...props}
    />
  );
}
