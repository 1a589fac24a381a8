import { useAutosize } from "@/lib/useAutosize";
import type { AriaAttributes, KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

interface MessageBoxProps extends AriaAttributes {
  text: string;
  placeholder: string;
  onTextChange: (text: string) => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

export function MessageBox({ text, onTextChange, ...props }: MessageBoxProps) {
  const { t } = useTranslation("composer");
  const box = useAutosize();
  return (
    <textarea
      ref={box}
      data-testid="multimodal-input"
      dir="auto"
      aria-label={t("message")}
      name="message"
      rows={1}
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- writing is what this page is for
      autoFocus={matchMedia("(pointer: fine)").matches}
      value={text}
      onChange={(event) => onTextChange(event.target.value)}
      className="field-sizing-content max-h-[40dvh] min-h-9 min-w-0 flex-1 resize-none scrollbar-quiet bg-transparent px-1.5 py-1.5 leading-6 outline-none placeholder:text-muted-foreground pointer-coarse:min-h-11 pointer-coarse:py-2.5"
      {...props}
    />
  );
}
