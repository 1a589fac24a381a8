import { newId } from "@/lib/newId";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";

/** The chat in the address; at `/`, the id that the chat will have once its first message is sent. */
export function useChatId(): { chatId: string; isNew: boolean } {
  const { chatId } = useParams({ strict: false });
  const [nextId, setNextId] = useState(newId);
  // The next chat has been sent and is in the address now: the one after it needs its own id.
  if (chatId === nextId) setNextId(newId());
  return { chatId: chatId ?? nextId, isNew: chatId === undefined };
}
