import { Button } from "@/components/ui/button";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { LoaderCircle, Search } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { SearchHit } from "./SearchHit";
import { useSearch } from "./useSearch";

interface SearchDialogProps {
  onClose: () => void;
  onNavigate: () => void;
}

export default function SearchDialog({ onClose, onNavigate }: SearchDialogProps) {
  const { t } = useTranslation(["history", "common"]);
  const [query, setQuery] = useState("");
  const { hits, isSearching, error, retry } = useSearch(query);
  const navigate = useNavigate();
  const isEmpty = hits.length === 0 && !isSearching && !error;

  function go(chatId: string): void {
    onClose();
    onNavigate();
    void navigate({ to: "/chat/$chatId", params: { chatId } });
  }

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-50 animate-in bg-black/35 fade-in-0" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-0 top-[max(1rem,12dvh)] z-50 mx-auto flex max-h-[min(34rem,76dvh)] w-[min(38rem,calc(100vw-1.5rem))] animate-in flex-col overflow-hidden rounded-2xl border bg-surface shadow-float fade-in-0 zoom-in-97"
        >
          <Dialog.Title className="sr-only">{t("search")}</Dialog.Title>
          <Command
            label={t("search")}
            shouldFilter={false}
            className="flex min-h-0 flex-1 flex-col"
          >
            <div className="flex items-center gap-2.5 border-b ps-4 pe-3">
              {isSearching ? (
                <LoaderCircle className="size-4 animate-spin text-muted-foreground" />
              ) : (
                <Search className="size-4 text-muted-foreground" />
              )}
              <Command.Input
                // oxlint-disable-next-line jsx-a11y/no-autofocus -- a search opens on its field
                autoFocus
                value={query}
                onValueChange={setQuery}
                maxLength={200}
                placeholder={t("searchPlaceholder")}
                className="h-12 min-w-0 flex-1 bg-transparent text-[15px] outline-none placeholder:text-muted-foreground"
              />
            </div>
            <p role="status" className="sr-only">
              {isSearching ? t("searching") : t("hits", { count: hits.length })}
            </p>
            <Command.List className="min-h-0 flex-1 scrollbar-quiet overflow-y-auto overscroll-contain p-1.5">
              {hits.map((chat) => (
                <SearchHit key={chat.id} chat={chat} query={query} onChoose={() => go(chat.id)} />
              ))}
              {isEmpty && (
                <p className="px-3 py-6 text-center text-sm text-muted-foreground">
                  {query.trim() ? t("noHits") : t("empty")}
                </p>
              )}
            </Command.List>
            {error && (
              <div
                role="alert"
                className="flex items-center justify-between gap-3 border-t px-4 py-2.5 text-sm text-muted-foreground"
              >
                {t("searchFailed")}
                <Button size="small" onClick={retry}>
                  {t("common:tryAgain")}
                </Button>
              </div>
            )}
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
