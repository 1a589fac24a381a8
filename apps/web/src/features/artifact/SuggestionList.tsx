import { Button } from "@/components/ui/button";
import type { Suggestion } from "@/lib/api/documents";
import { useTranslation } from "react-i18next";

interface SuggestionListProps {
  suggestions: Suggestion[];
  onApply: (suggestion: Suggestion) => void;
  onDismiss: (suggestion: Suggestion) => void;
}

export function SuggestionList({ suggestions, onApply, onDismiss }: SuggestionListProps) {
  const { t } = useTranslation("artifact");
  return (
    <section
      aria-label={t("suggestions.title")}
      data-testid="artifact-suggestions"
      className="max-h-2/5 shrink-0 scrollbar-quiet overflow-y-auto border-t bg-sidebar p-3"
    >
      <h3 className="px-1 pb-2 text-xs font-medium text-muted-foreground">
        {t("suggestions.count", { count: suggestions.length })}
      </h3>
      <ul className="flex flex-col gap-2">
        {suggestions.map((suggestion) => (
          <li
            key={suggestion.id}
            id={`suggestion-${suggestion.id}`}
            className="rounded-xl border bg-surface p-3 text-sm"
          >
            <p>
              <del className="text-muted-foreground">{suggestion.originalText}</del>{" "}
              <ins className="no-underline">{suggestion.suggestedText}</ins>
            </p>
            {suggestion.description && (
              <p className="pt-1 text-xs text-muted-foreground">{suggestion.description}</p>
            )}
            <div className="flex gap-2 pt-2">
              <Button
                size="small"
                className="pointer-coarse:h-11"
                onClick={() => onApply(suggestion)}
              >
                {t("suggestions.apply")}
              </Button>
              <Button
                variant="ghost"
                size="small"
                className="pointer-coarse:h-11"
                onClick={() => onDismiss(suggestion)}
              >
                {t("suggestions.dismiss")}
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
