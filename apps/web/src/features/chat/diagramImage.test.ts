import { expect, it } from "vitest";
import { diagramImage } from "./diagramImage";

it("shows a diagram in the size that it was drawn in", () => {
  const svg = '<svg id="d" width="100%" viewBox="0 0 120.4 80" style="max-width: 120px"><g/></svg>';
  const { src, width, height } = diagramImage(svg);
  expect([width, height]).toEqual([120, 80]);
  expect(decodeURIComponent(src)).toContain('<svg id="d" width="120.4" viewBox');
});
