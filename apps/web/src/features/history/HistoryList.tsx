import { Later } from "@/components/Later";
import type { ChatSummary } from "@/lib/api/history";
import { useEffect, useState } from "react";
import { DragArea } from "./DragArea";
import { DropTargets } from "./DropTargets";
import { HistoryRows } from "./HistoryRows";
import { ListBar } from "./ListBar";
import { ListDialogs } from "./ListDialogs";
import { LoadingRows } from "./LoadingRows";
import { SelectionBar } from "./SelectionBar";
import { ListContext } from "./listContext";
import { NOTHING, type Selection } from "./selection";
import type { Row } from "./rows";
import { useAnswering } from "./useAnswering";
import { useListCommands } from "./useListCommands";
import { useRows } from "./useRows";

interface HistoryListProps {
  activeChatId: string | undefined;
  onNavigate: () => void;
  onDeleted: (chatIds: string[]) => void;
}

/** The chats of the reader, or those in the archive. */
export function HistoryList({ activeChatId, onNavigate, onDeleted }: HistoryListProps) {
  const [isArchive, setIsArchive] = useState(false);
  const [isDeletingAll, setIsDeletingAll] = useState(false);
  const state = useListCommands({ onNavigate, onDeleted });
  const { commands, mode, current, selection, setSelection, listedRef } = state;
  const content = useRows(isArchive, state.isNamingFolder);
  useAnswering();

  const { rows } = content;
  useEffect(() => {
    listedRef.current = chatsIn(rows).map(({ id }) => id);
  }, [rows, listedRef]);

  function begin(next: Selection | null, archive = isArchive): void {
    setSelection(next);
    setIsArchive(archive);
  }

  return (
    <ListContext value={commands}>
      <DragArea onDrop={(chat, change) => commands.edit([chat], change)}>
        <div className="relative flex min-h-0 flex-1 flex-col">
          {selection ? (
            <SelectionBar
              chats={chatsIn(rows).filter(({ id }) => selection.ids.has(id))}
              isArchive={isArchive}
              onEnd={() => begin(null)}
            />
          ) : (
            <ListBar
              isArchive={isArchive}
              onArchive={(archive) => begin(null, archive)}
              onNewFolder={() => commands.startFolder([])}
              onSelect={() => begin(NOTHING)}
              onDeleteAll={() => setIsDeletingAll(true)}
            />
          )}
          <Later before={<LoadingRows className="flex-1 px-5.5" />}>
            <HistoryRows
              key={String(isArchive)}
              content={content}
              activeChatId={activeChatId}
              current={current}
              onCurrent={(key) => state.setCurrent({ key, isWanted: false })}
              mode={mode}
              selection={selection}
              onEndSelecting={() => begin(null)}
            />
          </Later>
          <DropTargets />
        </div>
      </DragArea>
      <ListDialogs
        doomedFolder={state.doomedFolder}
        onFolderDone={() => state.setDoomedFolder(null)}
        isDeletingAll={isDeletingAll}
        onAllDone={() => setIsDeletingAll(false)}
        onAllDeleted={() => activeChatId !== undefined && onDeleted([activeChatId])}
      />
    </ListContext>
  );
}

function chatsIn(rows: Row[]): ChatSummary[] {
  return rows.flatMap((row) => (row.kind === "chat" ? [row.chat] : []));
}
