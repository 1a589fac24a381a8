import { ImageOff } from "lucide-react";
import { Children, type ComponentProps, type ReactNode, isValidElement } from "react";
import { useTranslation } from "react-i18next";
import { hostOf, isLocalImage, safeLink } from "./links";
import { Picture } from "./Picture";

/** A link of an allowed scheme, with the host it leads to; any other is its text alone. */
export function MarkdownLink({ href, children }: ComponentProps<"a">) {
  const address = safeLink(href);
  if (!address) return <span>{children}</span>;
  if (address.startsWith("#")) return <a href={address}>{children}</a>;
  const host = hostOf(address);
  const isHostTold = textOf(children).includes(host);
  return (
    <a href={address} title={address} target="_blank" rel="noreferrer noopener">
      {children}
      {!isHostTold && <span className="link-host"> {host}</span>}
    </a>
  );
}

/** An image from elsewhere would tell its host who is reading: it opens only when asked for. */
export function MarkdownImage({ src, alt }: ComponentProps<"img">) {
  const { t } = useTranslation("chat");
  const name = alt || t("image");
  if (typeof src === "string" && isLocalImage(src)) return <Picture src={src} alt={name} />;
  const address = typeof src === "string" ? safeLink(src) : undefined;
  if (!address) return <em>{name}</em>;
  return (
    <a
      href={address}
      title={address}
      target="_blank"
      rel="noreferrer noopener"
      data-testid="blocked-image"
      className="inline-flex max-w-full items-center gap-2 rounded-xl border px-3 py-1.5 text-sm no-underline pointer-coarse:py-2.5"
    >
      <ImageOff className="size-4 shrink-0" aria-hidden="true" />
      <span className="truncate">{t("openImage", { name, host: hostOf(address) })}</span>
    </a>
  );
}

function textOf(node: ReactNode): string {
  return Children.toArray(node)
    .map((child) => {
      if (typeof child === "string" || typeof child === "number") return String(child);
      return isValidElement<{ children?: ReactNode }>(child) ? textOf(child.props.children) : "";
    })
    .join("");
}
