import { Button, type ButtonProps } from "@/components/ui/button";

interface ActionButtonProps extends Omit<ButtonProps, "aria-label"> {
  label: string;
}

/** One of the many small buttons of a conversation: too many for a tooltip component each. */
export function ActionButton({ label, className, ...props }: ActionButtonProps) {
  return (
    <Button
      variant="ghost"
      size="iconSmall"
      aria-label={label}
      title={label}
      className={className ?? "pointer-coarse:size-11"}
      {...props}
    />
  );
}
