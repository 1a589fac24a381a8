import { cn } from "@/lib/classNames";
import { type ReactNode, useId } from "react";
import { FIELD_CLASSES } from "./field";

interface SelectProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** The options. */
  children: ReactNode;
  className?: string;
}

/** The browser's own list of choices, which phones show best. */
export function Select({ label, value, onChange, children, className }: SelectProps) {
  const id = useId();
  return (
    <div className={cn("flex flex-col gap-1.5", className)}>
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <select
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className={FIELD_CLASSES}
      >
        {children}
      </select>
    </div>
  );
}
