import { Button } from "@/components/ui/button";
import { notifyError } from "@/lib/notify";
import { useSignal } from "@/lib/signal";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useStickToBottomContext } from "use-stick-to-bottom";
import type { Conversation } from "./conversation";
import { loadEarlier } from "./stored";
import { useKeepPlace } from "./useKeepPlace";

const MARGIN = "800px 0px 0px";

/** The way to what was said before: it loads as one comes near. */
export function Earlier({ conversation }: { conversation: Conversation }) {
  const { t } = useTranslation(["chat", "common"]);
  const state = useSignal(conversation.earlier);
  const { scrollRef } = useStickToBottomContext();
  const top = useRef<HTMLDivElement>(null);
  useKeepPlace(scrollRef);

  useEffect(() => {
    const place = top.current;
    if (!place || state !== "some") return undefined;
    const observer = new IntersectionObserver(
      // Several changes may be told at once.
      (entries) => entries.some((entry) => entry.isIntersecting) && void load(conversation),
      { root: scrollRef.current, rootMargin: MARGIN },
    );
    observer.observe(place);
    return () => observer.disconnect();
  }, [conversation, scrollRef, state]);

  if (state === "none") return null;
  return (
    <div ref={top} className="flex justify-center">
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
