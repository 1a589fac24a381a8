import { IconButton } from "@/components/ui/iconButton";
import { cn } from "@/lib/classNames";
import { Download, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useTranslation } from "react-i18next";

interface PictureProps {
  src: string;
  alt: string;
  className?: string;
  testId?: string;
}

/** A picture of the conversation; a click shows it as large as the window allows. */
export function Picture({ src, alt, className, testId }: PictureProps) {
  const { t } = useTranslation(["chat", "common"]);
  return (
    <Dialog.Root>
      <Dialog.Trigger
        aria-label={t("enlarge", { name: alt })}
        className="block max-w-full cursor-zoom-in rounded-xl"
      >
        <img
          src={src}
          alt={alt}
          data-testid={testId}
          className={cn("max-w-full rounded-xl border object-contain", className)}
        />
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-50 bg-black/80 data-[state=open]:animate-in data-[state=open]:fade-in-0" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-0 z-50 flex items-center justify-center p-4 outline-none"
        >
          <Dialog.Title className="sr-only">{alt}</Dialog.Title>
          <Dialog.Close aria-hidden tabIndex={-1} className="absolute inset-0 cursor-zoom-out" />
          <img src={src} alt={alt} className="relative max-h-full max-w-full object-contain" />
          <div className="absolute end-3 top-3 flex gap-1 rounded-full bg-background/90 p-1">
            <a
              href={src}
              download
              aria-label={t("downloadImage")}
              title={t("downloadImage")}
              className="flex size-9 items-center justify-center rounded-full text-muted-foreground hover:bg-muted hover:text-foreground pointer-coarse:size-11"
            >
              <Download className="size-4" />
            </a>
            <Dialog.Close asChild>
              <IconButton label={t("common:close")} className="rounded-full pointer-coarse:size-11">
                <X className="size-4" />
              </IconButton>
            </Dialog.Close>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
