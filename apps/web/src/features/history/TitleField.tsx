import { type KeyboardEvent, useEffect, useRef, useState } from "react";

interface TitleFieldProps {
  label: string;
  title: string;
  onSave: (title: string) => void;
  onCancel: () => void;
}

/** A title being rewritten in place: Enter or leaving keeps it, Escape does not. */
export function TitleField({ label, title, onSave, onCancel }: TitleFieldProps) {
  const [text, setText] = useState(title);
  const isCancelled = useRef(false);
  const field = useRef<HTMLInputElement>(null);

  // Again, once the menu that led here has closed: until then it keeps the focus.
  useEffect(() => {
    const timer = setTimeout(() => field.current?.focus());
    return () => clearTimeout(timer);
  }, []);

  function leave(): void {
    const trimmed = text.trim();
    if (trimmed && trimmed !== title && !isCancelled.current) onSave(trimmed);
    else onCancel();
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") isCancelled.current = true;
    if (event.key !== "Escape" && event.key !== "Enter") return;
    event.preventDefault(); // the row that gets the focus must not be pressed by the same key
    event.currentTarget.blur();
  }

  return (
    <input
      ref={field}
      aria-label={label}
      placeholder={label}
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- the person has just asked to write here
      autoFocus
      maxLength={200}
      value={text}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onBlur={leave}
      onKeyDown={onKeyDown}
      className="h-full w-full rounded-lg border border-accent/60 bg-surface px-2.5 py-1.5 text-sm outline-none"
    />
  );
}
