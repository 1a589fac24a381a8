import { cn } from "@/lib/classNames";
import { type ComponentProps, useId } from "react";

export const FIELD_CLASSES =
  "h-10 w-full rounded-xl border bg-surface px-3 text-sm outline-none placeholder:text-muted-foreground focus-visible:border-accent/60 focus-visible:outline-2 pointer-coarse:h-11 pointer-coarse:text-base";

interface FieldProps extends ComponentProps<"input"> {
  label: string;
  /** What helps to fill it in. */
  hint?: string;
}

/** A labelled line to write in. */
export function Field({ label, hint, className, ...input }: FieldProps) {
  const id = useId();
  const hintId = `${id}-hint`;
  return (
    <div className={cn("flex flex-col gap-1.5", className)}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        aria-describedby={hint ? hintId : undefined}
        className={FIELD_CLASSES}
        {...input}
      />
      {hint && (
        <p id={hintId} className="text-xs text-muted-foreground">
          {hint}
        </p>
      )}
    </div>
  );
}
