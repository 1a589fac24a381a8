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

/** Which of a document's versions is looked at: the newest, until one goes back, and again when one is added. */
export function useVersionChoice(versions: DocumentVersion[]): VersionChoice {
  const [chosen, setChosen] = useState<{ index: number; of: number }>();
  const [isComparing, setIsComparing] = useState(false);
  const count = versions.length;
  const last = count - 1;
  const index = chosen?.of === count ? chosen.index : last;
  const before = versions[index - 1];
  const choose = (next: number) => setChosen({ index: next, of: count });

  return {
    version: versions[index],
    isNewest: index === last,
    number: index + 1,
    count,
    older: index > 0 ? () => choose(index - 1) : undefined,
    newer: index < last ? () => choose(index + 1) : undefined,
    showNewest: () => {
      setChosen(undefined);
      setIsComparing(false);
    },
    compared: isComparing ? before : undefined,
    toggleChanges: before ? () => setIsComparing(!isComparing) : undefined,
  };
}
