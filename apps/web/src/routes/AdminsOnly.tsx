import { sessionQuery } from "@/features/session/sessionQuery";
import { useQuery } from "@tanstack/react-query";
import { ShieldAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

/** Whether whoever is here is an admin; the gateway decides, this only spares others the question. */
export function useIsAdmin(): boolean {
  return useQuery(sessionQuery).data?.type === "admin";
}

export function AdminsOnly({ children }: { children: ReactNode }) {
  const { t } = useTranslation("runs");
  const isAdmin = useIsAdmin();
  if (isAdmin) return children;
  return (
    <div
      role="alert"
      className="mx-auto flex max-w-md flex-col items-center gap-3 pt-20 text-center"
    >
      <ShieldAlert className="size-8 text-muted-foreground" strokeWidth={1.6} />
      <p className="font-medium">{t("adminsOnly")}</p>
      <p className="text-sm text-muted-foreground">{t("becomeAdmin")}</p>
    </div>
  );
}
