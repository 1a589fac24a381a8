/** Training and alignment runs, as the gateway reads them from their directories. */
import * as z from "zod/mini";
import { getJson, postJson } from "./request";

export const RUN_STATUSES = [
  "running",
  "finished",
  "failed",
  "stopped",
  "silent",
  "broken",
] as const;
const number = z.nullable(z.number());

const runSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** Of an alignment; null: pre-training. */
  algorithm: z.nullable(z.string()),
  status: z.enum(RUN_STATUSES),
  step: z.number(),
  steps: number,
  loss: number,
  reward: number,
  heldoutLoss: number,
  tokensPerSecond: number,
  worldSize: number,
  startedAt: z.coerce.date(),
  updatedAt: z.coerce.date(),
  error: z.nullable(z.string()),
});

const rowSchema = z.record(z.string(), z.unknown());
const eventSchema = z.looseObject({ t: z.catch(z.number(), 0), event: z.catch(z.string(), "") });

const checkpointSchema = z.object({
  name: z.string(),
  step: z.number(),
  savedAt: z.coerce.date(),
  sizeBytes: z.number(),
  isLatest: z.boolean(),
  /** The id that it is loaded as. */
  model: z.string(),
});

const contentsSchema = z.object({
  run: runSchema,
  config: rowSchema,
  events: z.array(eventSchema),
  eventCount: z.number(),
  eventsEnd: z.string(),
  checkpoints: z.array(checkpointSchema),
  hasSamples: z.boolean(),
});

const values = z.array(number);
const curvesSchema = z.object({
  steps: z.array(z.number()),
  times: values,
  counts: z.array(z.number()),
  columns: z.record(z.string(), z.object({ mean: values, least: values, most: values })),
  rowCount: z.number(),
  metricsEnd: z.string(),
});

export const newsSchema = z.union([
  z.object({ isAnew: z.literal(true) }),
  z.object({ metrics: z.array(rowSchema), events: z.array(eventSchema) }),
]);

export type Run = z.infer<typeof runSchema>;
export type RunStatus = Run["status"];
export type RunEvent = z.infer<typeof eventSchema>;
export type Row = z.infer<typeof rowSchema>;
export type Checkpoint = z.infer<typeof checkpointSchema>;
export type RunContents = z.infer<typeof contentsSchema>;
export type Curves = z.infer<typeof curvesSchema>;

export const MOST_POINTS = 1_000;

export async function fetchRuns(signal?: AbortSignal): Promise<Run[]> {
  return (await getJson("/api/runs", z.object({ runs: z.array(runSchema) }), signal)).runs;
}

export function fetchRun(id: string, signal?: AbortSignal): Promise<RunContents> {
  return getJson(path(id), contentsSchema, signal);
}

export function fetchCurves(id: string, signal?: AbortSignal): Promise<Curves> {
  return getJson(`${path(id)}/metrics?points=${MOST_POINTS}`, curvesSchema, signal);
}

export async function fetchSamples(id: string, signal?: AbortSignal): Promise<Row[]> {
  const schema = z.object({ samples: z.array(rowSchema) });
  return (await getJson(`${path(id)}/samples`, schema, signal)).samples;
}

/** Where what is appended to the run is told. */
export function newsAddress(id: string, metricsEnd: string, eventsEnd: string): string {
  return `${path(id)}/stream?${new URLSearchParams({ metrics: metricsEnd, events: eventsEnd })}`;
}

/** Resolves, with the model to ask, once the local engine serves it. */
export async function loadCheckpoint(id: string, checkpoint: string): Promise<string> {
  const address = `${path(id)}/checkpoints/${encodeURIComponent(checkpoint)}/load`;
  return (await postJson(address, z.object({ id: z.string() }))).id;
}

function path(id: string): string {
  return `/api/runs/${encodeURIComponent(id)}`;
}
