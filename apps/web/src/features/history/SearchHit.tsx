import type { FoundChat, Piece } from "@/lib/api/history";
import { Command } from "cmdk";
import { Archive, MessageSquare } from "lucide-react";
import { useTranslation } from "react-i18next";
import { titlePieces } from "./titleMatch";

interface SearchHitProps {
  chat: FoundChat;
  query: string;
  onChoose: () => void;
}

export function SearchHit({ chat, query, onChoose }: SearchHitProps) {
  const { t, i18n } = useTranslation("history");
  return (
    <Command.Item
      value={chat.id}
      onSelect={onChoose}
      className="flex items-start gap-3 rounded-lg px-3 py-2 text-sm data-[selected=true]:bg-muted pointer-coarse:py-3"
    >
      {chat.isArchived ? (
        <Archive aria-label={t("archived")} className="mt-0.5 size-4 text-muted-foreground" />
      ) : (
        <MessageSquare className="mt-0.5 size-4 text-muted-foreground" />
      )}
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">
          <Pieces pieces={titlePieces(chat.title, query)} />
        </span>
        {chat.snippet && (
          <span className="line-clamp-2 text-[13px] leading-snug text-muted-foreground">
            <Pieces pieces={chat.snippet} />
          </span>
        )}
      </span>
      <time
        dateTime={new Date(chat.createdAtMs).toISOString()}
        className="shrink-0 text-xs leading-5 text-muted-foreground"
      >
        {new Date(chat.createdAtMs).toLocaleDateString(i18n.language, {
          day: "numeric",
          month: "short",
        })}
      </time>
    </Command.Item>
  );
}

function Pieces({ pieces }: { pieces: Piece[] }) {
  // oxlint-disable react/no-array-index-key -- pieces are nothing but their place in a text
  return pieces.map(({ text, isMatch }, place) =>
    isMatch ? (
      <mark key={place} className="rounded-xs bg-accent/30 text-foreground">
        {text}
      </mark>
    ) : (
      <span key={place}>{text}</span>
    ),
  );
}
