import { RayMark } from "@/components/RayMark";
import { useDocumentTitle } from "@/lib/useDocumentTitle";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

export const LINK_CLASSES = "font-medium text-accent-text underline underline-offset-4";

interface EntrancePageProps {
  title: string;
  /** What to do here, in a sentence. */
  lead?: string;
  children: ReactNode;
}

/** A page for one form, without the sidebar. */
export function EntrancePage({ title, lead, children }: EntrancePageProps) {
  const { t } = useTranslation("session");
  useDocumentTitle(title);
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center px-4 py-10">
      <div className="flex w-full max-w-sm flex-col gap-6">
        <div className="flex flex-col items-center text-center">
          <RayMark className="mb-4 size-9" />
          <h1 className="text-2xl font-semibold tracking-[-0.02em]">{title}</h1>
          {lead && <p className="mt-1.5 text-sm text-muted-foreground">{lead}</p>}
        </div>
        {children}
        <Link
          to="/"
          className="mx-auto rounded-md py-2 text-sm text-muted-foreground underline-offset-4 hover:underline"
        >
          {t("toChats")}
        </Link>
      </div>
    </main>
  );
}
