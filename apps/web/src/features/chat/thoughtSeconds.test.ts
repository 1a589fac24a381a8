import { expect, it } from "vitest";
import { thoughtSeconds } from "./thoughtSeconds";

it.each([
  [{ raylm: { durationMs: 0 } }, 1],
  [{ raylm: { durationMs: 2_600 }, google: { signature: "s" } }, 3],
  [{ google: { signature: "s" } }, undefined],
  [{ raylm: { durationMs: "long" } }, undefined],
  [undefined, undefined],
])("says of %j: %s", (providerMetadata, seconds) => {
  const part = {
    type: "reasoning" as const,
    text: "Hm.",
    ...(providerMetadata && { providerMetadata }),
  };
  expect(thoughtSeconds(part)).toBe(seconds);
});
