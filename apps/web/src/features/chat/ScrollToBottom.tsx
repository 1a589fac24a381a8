import { Button } from "@/components/ui/button";
import { ArrowDown } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useStickToBottomContext } from "use-stick-to-bottom";

export function ScrollToBottom({ isCalm }: { isCalm: boolean }) {
  const { t } = useTranslation("chat");
  const { isAtBottom, scrollToBottom } = useStickToBottomContext();
  if (isAtBottom) return null;
  return (
    <Button
      size="icon"
      aria-label={t("scrollToBottom")}
      data-testid="scroll-to-bottom-button"
      className="absolute bottom-3 left-1/2 -translate-x-1/2 animate-in rounded-full shadow-float fade-in-0 pointer-coarse:size-11"
      onClick={() => void scrollToBottom(isCalm ? "instant" : "smooth")}
    >
      <ArrowDown className="size-4" />
    </Button>
  );
}
