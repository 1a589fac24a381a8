import { useDocumentTitle } from "@/lib/useDocumentTitle";
import type { ReactNode } from "react";
import { OpenSidebar } from "./OpenSidebar";

interface PageFrameProps {
  title: string;
  /** Before the title, the way back. */
  back?: ReactNode;
  children: ReactNode;
}

/** A page that is no chat: its title, and what scrolls under it. */
export function PageFrame({ title, back, children }: PageFrameProps) {
  useDocumentTitle(title);
  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-2 px-2.5">
        <OpenSidebar />
        {back}
        <h1 className="min-w-0 truncate px-2 font-semibold tracking-tight">{title}</h1>
      </header>
      <div className="min-h-0 flex-1 scrollbar-quiet overflow-y-auto">
        <div className="mx-auto flex max-w-6xl flex-col gap-8 px-4 pt-2 pb-12 sm:px-6">
          {children}
        </div>
      </div>
    </>
  );
}
