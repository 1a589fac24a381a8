import type { ChatSummary } from "@/lib/api/history";
import {
  DndContext,
  type DragEndEvent,
  DragOverlay,
  MeasuringStrategy,
  useDndContext,
} from "@dnd-kit/core";
import type { ReactNode } from "react";
import { createPortal } from "react-dom";
import { useTranslation } from "react-i18next";
import {
  type DropTarget,
  TARGETS_ID,
  announcements,
  draggedChat,
  findTarget,
  swallowClick,
  targetOf,
  useDragSensors,
} from "./dragging";

interface DragAreaProps {
  onDrop: (chat: ChatSummary, target: DropTarget) => void;
  children: ReactNode;
}

// The targets appear as the drag begins.
const MEASURING = { droppable: { strategy: MeasuringStrategy.Always } };
// A row that scrolls out of the list would take the finger's events along.
const SCROLLING = { canScroll: (element: Element) => element.matches(`#${TARGETS_ID}`) };

export function DragArea({ onDrop, children }: DragAreaProps) {
  const { t } = useTranslation("history");
  const sensors = useDragSensors();

  function end({ active, over }: DragEndEvent): void {
    swallowClick();
    const chat = draggedChat(active);
    const target = targetOf(over);
    if (chat && target) onDrop(chat, target);
  }

  return (
    <DndContext
      sensors={sensors}
      collisionDetection={findTarget}
      measuring={MEASURING}
      autoScroll={SCROLLING}
      onDragEnd={end}
      onDragCancel={swallowClick}
      accessibility={{
        announcements,
        screenReaderInstructions: { draggable: t("dragInstructions") },
      }}
    >
      {children}
      {createPortal(
        <DragOverlay dropAnimation={null}>
          <Dragged />
        </DragOverlay>,
        document.body,
      )}
    </DndContext>
  );
}

function Dragged() {
  const chat = draggedChat(useDndContext().active);
  return (
    <div className="max-w-60 truncate rounded-lg border bg-surface px-2.5 py-2 text-sm opacity-90 shadow-float">
      {chat?.title}
    </div>
  );
}
