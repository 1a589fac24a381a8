const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}$/;
const RASTER_URL = /^data:image\/(png|jpeg|gif|webp);base64,/;
const UPLOAD_URL = /^\/api\/files\/[\w-]+$/;

/** Where a stored image is shown from: never from another server. */
export function imageUrl(content: string): string | undefined {
  if (RASTER_URL.test(content) || UPLOAD_URL.test(content)) return content;
  return BASE64.test(content) ? `data:image/png;base64,${content}` : undefined;
}
