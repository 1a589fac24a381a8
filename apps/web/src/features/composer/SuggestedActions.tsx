import type { Model } from "@/lib/api/models";
import { useTranslation } from "react-i18next";

interface SuggestedActionsProps {
  model: Model | undefined;
  onChoose: (text: string) => void;
}

/** First messages, one click away. */
export function SuggestedActions({ model, onChoose }: SuggestedActionsProps) {
  const { t } = useTranslation("composer");
  const suggestions = t(model?.isChat === false ? "beginnings" : "questions", {
    returnObjects: true,
  });
  return (
    <ul
      data-testid="suggested-actions"
      aria-label={t("suggestions")}
      className="flex animate-in scrollbar-none gap-2 overflow-x-auto px-3 pb-3 duration-500 fade-in-0 md:flex-wrap md:justify-center md:px-0 md:pt-4"
    >
      {suggestions.map((text) => (
        <li key={text}>
          <button
            type="button"
            onClick={() => onChoose(text)}
            className="rounded-full border px-3.5 py-1.5 text-[13px] whitespace-nowrap text-muted-foreground transition-colors hover:border-accent/50 hover:text-foreground pointer-coarse:py-3"
          >
            {text}
          </button>
        </li>
      ))}
    </ul>
  );
}
