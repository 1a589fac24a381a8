import { Button } from "@/components/ui/button";
import { ArrowDown } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useStickToBottomContext } from "use-stick-to-bottom";
import { useRelease } from "./useRelease";

/** In screens: from farther up, gliding would lay out every message on the way. */
const FAR = 3;

export function ScrollToBottom({ isCalm }: { isCalm: boolean }) {
  const { t } = useTranslation("chat");
  const { isAtBottom, scrollToBottom, scrollRef, stopScroll, state } = useStickToBottomContext();
  useRelease(scrollRef, stopScroll);

  function goDown(): void {
    const height = scrollRef.current?.clientHeight ?? 0;
    const isFar = state.scrollDifference > FAR * height;
    void scrollToBottom(isCalm || isFar ? "instant" : "smooth");
  }

  if (isAtBottom) return null;
  return (
    <Button
      size="icon"
      aria-label={t("scrollToBottom")}
      data-testid="scroll-to-bottom-button"
      className="absolute inset-x-0 bottom-3 mx-auto animate-in rounded-full shadow-float fade-in-0 pointer-coarse:size-11"
      onClick={goDown}
    >
      <ArrowDown className="size-4" />
    </Button>
  );
}
