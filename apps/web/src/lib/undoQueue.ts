/**
 * Things that look done at once and are done a little later, so that they can still be undone.
 *
 * What is pending is hidden from view by its id: lists that are read again meanwhile cannot bring it
 * back, and undoing loses nothing.
 */
import { type ReadSignal, createSignal } from "@/lib/signal";

export interface UndoQueue {
  pending: ReadSignal<ReadonlySet<string>>;
  add: (ids: string[]) => PendingBatch;
  /** Does all that is pending, because the page is being left. */
  flush: () => void;
}

export interface PendingBatch {
  undo: () => void;
  /** Does it now; a batch that is undone or done already stays so. */
  settle: () => Promise<void>;
}

interface UndoQueueEvents {
  act: (id: string, isLeaving: boolean) => Promise<void>;
  onDone: (ids: ReadonlySet<string>) => void;
  onFailed: (error: unknown) => void;
}

export function createUndoQueue({ act, onDone, onFailed }: UndoQueueEvents): UndoQueue {
  const pending = createSignal<ReadonlySet<string>>(new Set());
  const waiting = new Set<string[]>();

  function show(ids: string[]): void {
    const shown = new Set(ids);
    pending.set(new Set([...pending.get()].filter((id) => !shown.has(id))));
  }

  async function settle(batch: string[], isLeaving = false): Promise<void> {
    if (!waiting.delete(batch)) return;
    const results = await Promise.allSettled(batch.map((id) => act(id, isLeaving)));
    const done = batch.filter((_, place) => results[place]?.status === "fulfilled");
    if (done.length > 0) onDone(new Set(done));
    const failure = results.find((result) => result.status === "rejected");
    if (failure) onFailed(failure.reason);
    show(batch);
  }

  return {
    pending,
    add(ids) {
      waiting.add(ids);
      pending.set(new Set([...pending.get(), ...ids]));
      return {
        undo: () => {
          if (waiting.delete(ids)) show(ids);
        },
        settle: () => settle(ids),
      };
    },
    flush() {
      for (const batch of waiting) void settle(batch, true);
    },
  };
}
