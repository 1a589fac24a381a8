import {
  type Suggestion,
  fetchSuggestions,
  settleSuggestion,
  suggestionsKey,
} from "@/lib/api/documents";
import { notifyError } from "@/lib/notify";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";

/** What a model would change in the text as it is now, and what the reader does about it. */
export function useSuggestions(
  documentId: string,
  isOwn: boolean,
  content: string,
  onEdit: ((content: string) => void) | undefined,
) {
  const queryClient = useQueryClient();
  const queryKey = suggestionsKey(documentId);
  const { data } = useQuery({
    queryKey,
    queryFn: ({ signal }) => fetchSuggestions(documentId, signal),
    enabled: isOwn,
  });
  // One whose passage is gone has nothing to change any more.
  const suggestions = useMemo(
    () =>
      (data ?? []).filter(
        ({ status, originalText }) => status === "open" && content.includes(originalText),
      ),
    [data, content],
  );

  async function settle(suggestion: Suggestion, status: Suggestion["status"]): Promise<void> {
    queryClient.setQueryData<Suggestion[]>(queryKey, (known) =>
      known?.map((one) => (one.id === suggestion.id ? { ...one, status } : one)),
    );
    try {
      await settleSuggestion(suggestion.id, status);
    } catch (error) {
      void notifyError(error);
      await queryClient.invalidateQueries({ queryKey });
    }
  }

  function apply(suggestion: Suggestion): void {
    onEdit?.(content.replace(suggestion.originalText, () => suggestion.suggestedText));
    void settle(suggestion, "resolved");
  }

  function dismiss(suggestion: Suggestion): void {
    void settle(suggestion, "dismissed");
  }
  return { suggestions, apply, dismiss };
}
