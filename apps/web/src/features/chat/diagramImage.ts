/** An SVG as the source of an `<img>`, in its own size. */
export function diagramImage(svg: string): { src: string; width: number; height: number } {
  const [, , width = 600, height = 400] = (/viewBox="([^"]+)"/.exec(svg)?.[1] ?? "")
    .split(/[\s,]+/)
    .map(Number);
  // Without a size of its own, an image of an SVG has the browser's default one.
  const sized = svg.replace(/<svg\b([^>]*?)\swidth="[^"]*"/, `<svg$1 width="${width}"`);
  return {
    src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(sized)}`,
    width: Math.round(width),
    height: Math.round(height),
  };
}
