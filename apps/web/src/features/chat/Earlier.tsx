import { Button } from "@/components/ui/button";
import { notifyError } from "@/lib/notify";
import { useSignal } from "@/lib/signal";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useStickToBottomContext } from "use-stick-to-bottom";
import type { Conversation } from "./conversation";
import { loadEarlier } from "./stored";

const MARGIN = "2400px 0px 0px";

interface EarlierProps {
  conversation: Conversation;
  /** The first message on screen. */
  first: string | undefined;
}

/** The way to what was said before: it loads as one comes near. */
export function Earlier({ conversation, first }: EarlierProps) {
  const { t } = useTranslation(["chat", "common"]);
  const state = useSignal(conversation.earlier);
  const { scrollRef } = useStickToBottomContext();
  const top = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const place = top.current;
    if (!place || state !== "some") return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        // Those that have come may not be on screen yet, and put the place out of sight once they are.
        const isShown = conversation.chat.messages[0]?.id === first;
        // Several changes may be told at once.
        if (isShown && entries.some((entry) => entry.isIntersecting)) void load(conversation);
      },
      { root: scrollRef.current, rootMargin: MARGIN },
    );
    observer.observe(place);
    return () => observer.disconnect();
  }, [conversation, first, scrollRef, state]);

  if (state === "none") return null;
  return (
    <div ref={top} className="flex justify-center [overflow-anchor:none]">
      <Button
        size="small"
        className="pointer-coarse:h-11"
        disabled={state === "loading"}
        onClick={() => void load(conversation)}
      >
        {state === "loading" ? t("common:loading") : t("loadEarlier")}
      </Button>
    </div>
  );
}

async function load(conversation: Conversation): Promise<void> {
  try {
    await loadEarlier(conversation);
  } catch (error) {
    void notifyError(error);
  }
}
