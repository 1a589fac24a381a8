import { Button } from "@/components/ui/button";
import { ArrowDown } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useStickToBottomContext } from "use-stick-to-bottom";

/** Messages get their size as one scrolls to them, so these keys are not told by the scrolling. */
const UPWARDS = new Set(["PageUp", "Home", "ArrowUp"]);

export function ScrollToBottom({ isCalm }: { isCalm: boolean }) {
  const { t } = useTranslation("chat");
  const { isAtBottom, scrollToBottom, scrollRef, stopScroll } = useStickToBottomContext();

  useEffect(() => {
    const box = scrollRef.current;
    const onKeyDown = ({ key }: KeyboardEvent) => UPWARDS.has(key) && stopScroll();
    box?.addEventListener("keydown", onKeyDown);
    return () => box?.removeEventListener("keydown", onKeyDown);
  }, [scrollRef, stopScroll]);

  if (isAtBottom) return null;
  return (
    <Button
      size="icon"
      aria-label={t("scrollToBottom")}
      data-testid="scroll-to-bottom-button"
      className="absolute inset-x-0 bottom-3 mx-auto animate-in rounded-full shadow-float fade-in-0 pointer-coarse:size-11"
      onClick={() => void scrollToBottom(isCalm ? "instant" : "smooth")}
    >
      <ArrowDown className="size-4" />
    </Button>
  );
}
