import type { ReasoningUIPart } from "ai";

/** Whole seconds, at least one; undefined where the gateway did not see the thought's end. */
export function thoughtSeconds({ providerMetadata }: ReasoningUIPart): number | undefined {
  const durationMs = providerMetadata?.["raylm"]?.["durationMs"];
  return typeof durationMs === "number" ? Math.max(1, Math.round(durationMs / 1_000)) : undefined;
}
