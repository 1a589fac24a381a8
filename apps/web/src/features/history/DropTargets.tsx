import { cn } from "@/lib/classNames";
import { useDndContext, useDroppable } from "@dnd-kit/core";
import { Archive, Folder as FolderIcon, FolderMinus } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type DropTarget, TARGETS_ID, targetId } from "./dragging";
import { useFolders } from "./useFolders";

/** Where a chat that is being dragged can go: always in view, however far the list is scrolled. */
export function DropTargets() {
  const { t } = useTranslation("history");
  const folders = useFolders();
  if (useDndContext().active === null) return null;
  return (
    <div
      id={TARGETS_ID}
      role="group"
      aria-label={t("dropTargets")}
      className="absolute inset-x-2 top-10 z-10 max-h-[60%] overflow-y-auto rounded-xl border bg-surface p-1.5 shadow-float"
    >
      {folders.map(({ id, name }) => (
        <Target key={id} target={{ folderId: id }} name={name}>
          <FolderIcon />
        </Target>
      ))}
      <Target target={{ folderId: null }} name={t("noFolder")}>
        <FolderMinus />
      </Target>
      <Target target={{ isArchived: true }} name={t("archive")}>
        <Archive />
      </Target>
    </div>
  );
}

interface TargetProps {
  target: DropTarget;
  name: string;
  children: ReactNode;
}

function Target({ target, name, children }: TargetProps) {
  const { setNodeRef, isOver } = useDroppable({ id: targetId(target), data: { target, name } });
  return (
    <div
      ref={setNodeRef}
      className={cn(
        "flex h-9 items-center gap-2.5 rounded-lg px-2.5 text-sm pointer-coarse:h-11 [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-muted-foreground",
        isOver && "bg-accent-soft text-accent-text",
      )}
    >
      {children}
      <span className="truncate">{name}</span>
    </div>
  );
}
