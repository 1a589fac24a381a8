import { type Votes, castVote, fetchVotes } from "@/lib/api/votes";
import { notifyError } from "@/lib/notify";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useIsStored } from "./chatSettings";

/** The vote on one answer: shown at once, taken back if the gateway refuses it. */
export function useVote(chatId: string, messageId: string) {
  const client = useQueryClient();
  const isStored = useIsStored(chatId);
  const queryKey = ["votes", chatId];
  const { data: isUpvoted } = useQuery({
    queryKey,
    queryFn: ({ signal }) => fetchVotes(chatId, signal),
    enabled: isStored,
    select: (votes) => votes[messageId],
  });
  const { mutate: vote } = useMutation({
    mutationFn: (isUp: boolean) => castVote(chatId, messageId, isUp),
    onMutate: async (isUp) => {
      await client.cancelQueries({ queryKey });
      show(isUp);
      return { before: isUpvoted };
    },
    onError: (error, _isUp, shown) => {
      show(shown?.before);
      void notifyError(error);
    },
  });

  function show(isUp: boolean | undefined): void {
    client.setQueryData<Votes>(queryKey, (votes) => {
      const { [messageId]: _, ...others } = votes ?? {};
      return isUp === undefined ? others : { ...others, [messageId]: isUp };
    });
  }
  return { isUpvoted, vote };
}
