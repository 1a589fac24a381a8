/** One run of a program: what the frame tells, and what has come of it. */
import * as z from "zod/mini";

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_FIGURES = 20;

export const frameMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), isInstalled: z.boolean() }),
  z.object({ type: z.literal("loading") }),
  z.object({ type: z.literal("running") }),
  z.object({
    type: z.literal("output"),
    stream: z.enum(["stdout", "stderr"]),
    text: z.string().check(z.maxLength(1_000_000)),
  }),
  z.object({
    type: z.literal("figure"),
    png: z.string().check(z.maxLength(10_000_000), z.regex(BASE64)),
  }),
  z.object({ type: z.literal("done"), durationMs: z.number() }),
  z.object({ type: z.literal("failed"), error: z.string().check(z.maxLength(100_000)) }),
]);
export type FrameMessage = z.infer<typeof frameMessageSchema>;

export type Printed = { stream: "stdout" | "stderr" | "figure"; text: string };

export type RunPhase =
  | "idle"
  | "missing"
  | "starting"
  | "loading"
  | "running"
  | "done"
  | "failed"
  | "stopped"
  | "timeout";

export interface Run {
  phase: RunPhase;
  printed: Printed[];
  error?: string;
  durationMs?: number;
}

export const NOT_RUN: Run = { phase: "idle", printed: [] };
export const STARTED: Run = { phase: "starting", printed: [] };

export function isGoingOn({ phase }: Run): boolean {
  return phase === "starting" || phase === "loading" || phase === "running";
}

/** What comes after the end, or without a beginning, is nobody's. */
export function reduceRun(run: Run, message: FrameMessage): Run {
  if (message.type === "ready") {
    return message.isInstalled || !isGoingOn(run) ? run : { ...NOT_RUN, phase: "missing" };
  }
  if (!isGoingOn(run)) return run;
  switch (message.type) {
    case "loading":
    case "running":
      return { ...run, phase: message.type };
    case "output":
      return { ...run, printed: appended(run.printed, message.stream, message.text) };
    case "figure":
      if (run.printed.filter(({ stream }) => stream === "figure").length >= MAX_FIGURES) return run;
      return { ...run, printed: [...run.printed, { stream: "figure", text: message.png }] };
    case "done":
      return { ...run, phase: "done", durationMs: message.durationMs };
    case "failed":
      return { ...run, phase: "failed", error: message.error };
  }
}

function appended(printed: Printed[], stream: "stdout" | "stderr", text: string): Printed[] {
  const last = printed.at(-1);
  if (last?.stream !== stream) return [...printed, { stream, text }];
  return [...printed.slice(0, -1), { stream, text: last.text + text }];
}
