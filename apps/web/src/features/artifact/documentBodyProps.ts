import type { DocumentKind } from "@/lib/api/documents";

/** What every kind of document is shown and edited by. */
export interface DocumentBodyProps {
  documentId: string;
  kind: DocumentKind;
  title: string;
  content: string;
  /** Changes when other content takes the place of what was shown, not when it is edited. */
  versionId: string;
  isWriting: boolean;
  isOwn: boolean;
  /** Absent where nobody may edit. */
  onEdit: ((content: string) => void) | undefined;
  /** What a program's last run failed with; undefined after one that did not. */
  onError: (error: string | undefined) => void;
}
