import {
  HISTORY_KEY,
  type HistoryPages,
  deleteChat,
  fetchHistory,
  nextCursor,
  renameChat,
  withTitle,
  withoutChat,
} from "@/lib/api/history";
import { notifyError } from "@/lib/notify";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";

export function useHistory() {
  return useInfiniteQuery({
    queryKey: HISTORY_KEY,
    queryFn: ({ pageParam, signal }) => fetchHistory(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextCursor,
  });
}

/** The title of a chat, if it is among the loaded ones. */
export function useChatTitle(chatId: string): string | undefined {
  const { data } = useHistory();
  return data?.pages.flatMap((page) => page.chats).find((chat) => chat.id === chatId)?.title;
}

export function useRenameChat() {
  return useHistoryEdit(
    ({ chatId, title }: { chatId: string; title: string }) => renameChat(chatId, title),
    (pages, { chatId, title }) => withTitle(pages, chatId, title),
  );
}

export function useDeleteChat() {
  return useHistoryEdit(deleteChat, withoutChat);
}

/** Shows an edit at once, and takes it back if the gateway refuses it. */
function useHistoryEdit<Edit>(
  save: (edit: Edit) => Promise<void>,
  preview: (pages: HistoryPages, edit: Edit) => HistoryPages,
) {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: save,
    onMutate: async (edit) => {
      await client.cancelQueries({ queryKey: HISTORY_KEY });
      const previous = client.getQueryData<HistoryPages>(HISTORY_KEY);
      if (previous) client.setQueryData(HISTORY_KEY, preview(previous, edit));
      return { previous };
    },
    onError: (error, _edit, context) => {
      client.setQueryData(HISTORY_KEY, context?.previous);
      void notifyError(error);
    },
  });
  return mutate;
}
