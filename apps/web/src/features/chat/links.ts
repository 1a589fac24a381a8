/** Which addresses of an answer may be followed, and where they lead. */
const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address if it is of an allowed scheme, or a place within the message; else undefined. */
export function safeLink(address: string | undefined): string | undefined {
  if (!address) return undefined;
  if (address.startsWith("#")) return address;
  if (!URL.canParse(address)) return undefined; // relative: it would lead into this page's own
  const url = new URL(address);
  return SCHEMES.has(url.protocol) ? url.href : undefined;
}

/** An address that an image can be shown from without telling anybody outside. */
export function isLocalImage(address: string): boolean {
  return /^(\/api\/files\/[\w-]+|data:image\/(png|jpeg|gif|webp);base64,[\w+/=]+)$/.test(address);
}

export function hostOf(address: string): string {
  if (!URL.canParse(address)) return address;
  const { host, pathname } = new URL(address);
  return host || pathname;
}
