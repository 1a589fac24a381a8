import type { DocumentVersion } from "@/lib/api/documents";
import { useState } from "react";

export interface VersionChoice {
  version: DocumentVersion | undefined;
  isNewest: boolean;
  /** Counted from 1. */
  number: number;
  count: number;
  older: (() => void) | undefined;
  newer: (() => void) | undefined;
  showNewest: () => void;
  /** The version before, where its changes are looked at. */
  compared: DocumentVersion | undefined;
  /** Absent where there is nothing before. */
  toggleChanges: (() => void) | undefined;
}

/** Which of a document's versions is looked at: the newest, whatever comes, until one goes back. */
export function useVersionChoice(versions: DocumentVersion[]): VersionChoice {
  const [chosen, setChosen] = useState<number>();
  const [isComparing, setIsComparing] = useState(false);
  const last = versions.length - 1;
  const index = Math.min(chosen ?? last, last);
  const before = versions[index - 1];

  return {
    version: versions[index],
    isNewest: index === last,
    number: index + 1,
    count: versions.length,
    older: index > 0 ? () => setChosen(index - 1) : undefined,
    newer: index < last ? () => setChosen(index + 1 === last ? undefined : index + 1) : undefined,
    showNewest: () => {
      setChosen(undefined);
      setIsComparing(false);
    },
    compared: isComparing ? before : undefined,
    toggleChanges: before ? () => setIsComparing(!isComparing) : undefined,
  };
}
