import {
  type DocumentVersion,
  documentKey,
  fetchVersions,
  restoreVersion,
  saveEdit,
} from "@/lib/api/documents";
import { t } from "@/lib/i18n";
import { notifyError } from "@/lib/notify";
import { useSignal } from "@/lib/signal";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Autosave } from "./autosave";

/** A document's versions, the unsaved edit of the newest, and ways to change both. */
export function useDocument(id: string, chatId: string, isWriting: boolean) {
  const queryClient = useQueryClient();
  const { data: versions = [], error } = useQuery({
    queryKey: documentKey(id),
    queryFn: ({ signal }) => fetchVersions(id, chatId, signal),
    enabled: !isWriting,
    staleTime: 0,
  });
  const newest = versions.at(-1);
  const base = useRef(newest);
  const [draft, setDraft] = useState<string>();
  const [hasConflict, setHasConflict] = useState(false);

  const autosave = useMemo(
    () =>
      new Autosave(async (content) => {
        if (!base.current) return;
        try {
          const edited = base.current;
          const written = await saveEdit(edited, content);
          setHasConflict(written.createdAt !== edited.createdAt);
          base.current = written;
          keep(written);
          setDraft((now) => (now === content ? undefined : now));
        } catch (failure) {
          void notifyError(failure);
          throw failure;
        }
      }),
    // oxlint-disable-next-line react/exhaustive-deps -- one for the life of the document
    [id],
  );

  // An edit that goes on belongs to the version that it began with: the gateway tells if another came.
  useEffect(() => {
    if (draft === undefined) base.current = newest;
  }, [newest, draft]);

  useEffect(() => {
    const flush = () => void autosave.flush();
    const flushHidden = () => document.visibilityState === "hidden" && flush();
    document.addEventListener("visibilitychange", flushHidden);
    window.addEventListener("online", flush);
    return () => {
      document.removeEventListener("visibilitychange", flushHidden);
      window.removeEventListener("online", flush);
      flush();
    };
  }, [autosave]);

  /** Into the list: in place of the version that it changed, or as one of its own. */
  function keep(written: DocumentVersion): void {
    queryClient.setQueryData<DocumentVersion[]>(documentKey(id), (known = []) =>
      known.some(({ createdAt }) => createdAt === written.createdAt)
        ? known.map((version) => (version.createdAt === written.createdAt ? written : version))
        : [...known, written],
    );
    void queryClient.invalidateQueries({ queryKey: documentKey(id) });
  }

  async function restore(version: DocumentVersion): Promise<void> {
    await autosave.flush();
    setDraft(undefined);
    try {
      await restoreVersion(version);
    } catch (failure) {
      void notifyError(failure);
    }
    await queryClient.invalidateQueries({ queryKey: documentKey(id) });
  }

  function edit(content: string): void {
    setDraft(content);
    autosave.edit(content);
  }

  const saveStatus = useSignal(autosave.status);
  const note = hasConflict ? t("artifact:conflict") : undefined;
  return { versions, error, draft, saveStatus, note, edit, restore, flush: () => autosave.flush() };
}
