import { Ban, CircleAlert, CircleCheck, CircleHelp, LoaderCircle } from "lucide-react";
import type { ToolState } from "./toolState";

const MARKS = {
  running: <LoaderCircle className="size-4 animate-spin text-muted-foreground" />,
  waiting: <CircleHelp className="size-4 text-accent-text" />,
  done: <CircleCheck className="size-4 text-accent-text" />,
  failed: <CircleAlert className="size-4 text-danger" />,
  denied: <Ban className="size-4 text-muted-foreground" />,
};

export function ToolStateMark({ state }: { state: ToolState }) {
  return (
    <span aria-hidden="true" className="shrink-0">
      {MARKS[state]}
    </span>
  );
}
