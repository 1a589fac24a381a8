import { useLayoutEffect, useRef } from "react";

/** A ref for a text box that grows with its text where the browser's `field-sizing` does not yet. */
export function useAutosize() {
  const box = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    if (!box.current || CSS.supports("field-sizing", "content")) return;
    box.current.style.height = "auto";
    box.current.style.height = `${box.current.scrollHeight}px`;
  });
  return box;
}
