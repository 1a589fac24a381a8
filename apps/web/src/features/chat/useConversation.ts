import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useChatSettings } from "./chatSettings";
import {
  findConversation,
  keepConversation,
  loadConversation,
  openConversation,
  releaseConversation,
} from "./conversations";

/** The conversation of `chatId`: the live one, an empty one for a new chat, or the stored one. */
export function useConversation(chatId: string, isNew: boolean) {
  const [live] = useState(
    () => findConversation(chatId) ?? (isNew ? openConversation(chatId, []) : undefined),
  );
  const { data: stored, error } = useQuery({
    queryKey: ["conversation", chatId],
    queryFn: ({ signal }) => loadConversation(chatId, signal),
    enabled: !live,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
  });
  const conversation = live ?? stored;

  useEffect(() => {
    if (!conversation) return undefined;
    keepConversation(conversation);
    return () => releaseConversation(conversation);
  }, [conversation]);

  const { isReadonly } = useChatSettings(chatId);
  return { conversation, error, isReadonly };
}
