/** What happened to a run's workers, as marks on the axis of its steps. */
import type { Curves, RunEvent } from "@/lib/api/runs";
import { stepAt } from "./curves";

export const EVENT_TONES = {
  worker_lost: "bad",
  worker_left: "warm",
  worker_joined: "good",
  straggler: "warm",
  poisoned_samples: "bad",
  fell_back: "bad",
  recovered: "calm",
  checkpoint_failed: "bad",
} as const;

export type Tone = (typeof EVENT_TONES)[keyof typeof EVENT_TONES];

export interface Mark {
  /** Between the step that was finished last and the next. */
  position: number;
  name: string;
  tone: Tone;
}

export function marksOf(events: RunEvent[], curves: Curves): Mark[] {
  return events.flatMap(({ event, t }) => {
    const tone = toneOf(event);
    return tone ? [{ position: (stepAt(curves, t) ?? 0) + 0.5, name: event, tone }] : [];
  });
}

export function toneOf(event: string): Tone | undefined {
  return isTold(event) ? EVENT_TONES[event] : undefined;
}

function isTold(event: string): event is keyof typeof EVENT_TONES {
  return event in EVENT_TONES;
}
