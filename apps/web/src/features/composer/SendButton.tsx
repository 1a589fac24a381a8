import { Button } from "@/components/ui/button";
import { ArrowUp, Square } from "lucide-react";
import { useTranslation } from "react-i18next";

interface SendButtonProps {
  isBusy: boolean;
  isDisabled: boolean;
  onStop: () => void;
}

/** Sends, or while an answer is being written stops it. */
export function SendButton({ isBusy, isDisabled, onStop }: SendButtonProps) {
  const { t } = useTranslation("composer");
  const className = "rounded-full pointer-coarse:size-11";
  if (isBusy) {
    return (
      <Button
        variant="primary"
        size="icon"
        data-testid="stop-button"
        aria-label={t("stop")}
        className={className}
        onClick={onStop}
      >
        <Square className="size-3.5 fill-current" />
      </Button>
    );
  }
  return (
    <Button
      variant="primary"
      size="icon"
      type="submit"
      data-testid="send-button"
      aria-label={t("send")}
      className={className}
      disabled={isDisabled}
    >
      <ArrowUp className="size-[18px]" strokeWidth={2.25} />
    </Button>
  );
}
