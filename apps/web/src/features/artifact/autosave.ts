/** Stores what is typed two seconds after the last key, one write at a time. */
import { type Signal, createSignal } from "@/lib/signal";

export type SaveStatus = "saved" | "dirty" | "saving" | "failed";

export const SAVE_AFTER_MS = 2_000;

export class Autosave {
  readonly status: Signal<SaveStatus> = createSignal<SaveStatus>("saved");
  private readonly save: (content: string) => Promise<void>;
  private pending: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | undefined;

  constructor(save: (content: string) => Promise<void>) {
    this.save = save;
  }

  edit(content: string): void {
    this.pending = content;
    this.status.set("dirty");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), SAVE_AFTER_MS);
  }

  /** Resolves once everything typed so far is stored, or has failed to be. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    await this.running;
    if (this.pending === undefined) return;
    this.running = this.write(this.pending);
    await this.running;
  }

  private async write(content: string): Promise<void> {
    this.pending = undefined;
    this.status.set("saving");
    try {
      await this.save(content);
      this.status.set(this.pending === undefined ? "saved" : "dirty");
    } catch {
      // `save` has told why; the next key or the next flush tries again.
      this.pending ??= content;
      this.status.set("failed");
    } finally {
      this.running = undefined;
    }
  }
}
