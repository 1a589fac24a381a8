/** Dragging a chat into a folder: with the mouse, a finger, or Space and the arrow keys. */
import type { ChatChange, ChatSummary } from "@/lib/api/history";
import { t } from "@/lib/i18n";
import {
  type Active,
  type Announcements,
  type CollisionDetection,
  type KeyboardCoordinateGetter,
  KeyboardSensor,
  MouseSensor,
  type Over,
  TouchSensor,
  closestCenter,
  pointerWithin,
  useSensor,
  useSensors,
} from "@dnd-kit/core";

export type DropTarget = Pick<ChatChange, "folderId"> | Pick<ChatChange, "isArchived">;

export const TARGETS_ID = "drop-targets";

const DRAG_AFTER_PX = 6;
/** A finger that moves sooner scrolls. */
const HOLD_MS = 250;
const HOLD_TOLERANCE_PX = 8;

export function targetId(target: DropTarget): string {
  return JSON.stringify(target);
}

export function draggedChat(active: Active | null): ChatSummary | undefined {
  return active?.data.current as ChatSummary | undefined;
}

export function targetOf(over: Over | null): DropTarget | undefined {
  return over?.data.current?.["target"] as DropTarget | undefined;
}

export function useDragSensors() {
  return useSensors(
    useSensor(MouseSensor, { activationConstraint: { distance: DRAG_AFTER_PX } }),
    useSensor(TouchSensor, {
      activationConstraint: { delay: HOLD_MS, tolerance: HOLD_TOLERANCE_PX },
    }),
    useSensor(KeyboardSensor, {
      // Enter opens the chat.
      keyboardCodes: { start: ["Space"], cancel: ["Escape", "Tab"], end: ["Space", "Enter"] },
      coordinateGetter: nextTarget,
    }),
  );
}

/** Under the mouse or finger, or where the arrow keys have led; at first nowhere. */
export const findTarget: CollisionDetection = (args) => {
  if (!args.pointerCoordinates) return closestCenter(args);
  return hasMoved(args) ? pointerWithin(args) : [];
};

/** A finger that holds and lets go has chosen nothing, whatever has come to lie under it. */
function hasMoved({ active, collisionRect }: Parameters<CollisionDetection>[0]): boolean {
  const start = active.rect.current.initial;
  if (!start) return false;
  const { top, left } = collisionRect;
  return Math.hypot(top - start.top, left - start.left) >= DRAG_AFTER_PX;
}

const nextTarget: KeyboardCoordinateGetter = (event, { context, currentCoordinates }) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.code];
  if (!step) return undefined;
  event.preventDefault();
  const targets = context.droppableContainers
    .getEnabled()
    .flatMap(({ id }) => {
      const rect = context.droppableRects.get(id);
      return rect ? [{ id, rect }] : [];
    })
    .toSorted((one, other) => one.rect.top - other.rect.top);
  const at = targets.findIndex(({ id }) => id === context.over?.id);
  const next = targets[Math.min(Math.max(at + step, 0), targets.length - 1)];
  const height = context.collisionRect?.height ?? 0;
  if (!next) return currentCoordinates;
  return { x: next.rect.left, y: next.rect.top + (next.rect.height - height) / 2 };
};

/** What screen readers are told. */
export const announcements: Announcements = {
  onDragStart: ({ active }) => t("history:dragStart", { title: draggedChat(active)?.title }),
  onDragOver: ({ over }) =>
    over ? t("history:dragOver", { name: nameOf(over) }) : t("history:dragNowhere"),
  onDragEnd: ({ active, over }) =>
    over
      ? t("history:dragEnd", { title: draggedChat(active)?.title, name: nameOf(over) })
      : t("history:dragCancel"),
  onDragCancel: () => t("history:dragCancel"),
};

function nameOf(over: Over): string {
  return String(over.data.current?.["name"] ?? "");
}

const swallow = (event: Event) => event.preventDefault();

/** The click that ends a drag must not open the chat. */
export function swallowClick(): void {
  window.addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => window.removeEventListener("click", swallow, { capture: true }), 50);
}
