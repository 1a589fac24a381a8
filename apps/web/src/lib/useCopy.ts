import { useEffect, useState } from "react";

const CONFIRMATION_MS = 1_600;

/** Copies text; `isCopied` stays true just long enough to confirm it. */
export function useCopy() {
  const [isCopied, setIsCopied] = useState(false);

  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setIsCopied(false), CONFIRMATION_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);

  async function copy(text: string): Promise<void> {
    await copyText(text);
    setIsCopied(true);
  }
  return { isCopied, copy };
}

async function copyText(text: string): Promise<void> {
  // Browsers offer the clipboard to https:// and localhost only; elsewhere the old command works.
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const box = document.createElement("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}
