import { MenuItem } from "@/components/ui/menu";
import { useNavigate } from "@tanstack/react-router";
import { ChartSpline, Cpu } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useIsAdmin } from "./AdminsOnly";
import { useSidebar } from "./useSidebar";

/** RayLM's own pages, in the menu of whoever is here. */
export function PageLinks() {
  const { t } = useTranslation(["models", "runs"]);
  const isAdmin = useIsAdmin();
  const navigate = useNavigate();
  const { closeSheet } = useSidebar();
  function go(to: "/models" | "/runs"): void {
    closeSheet();
    void navigate({ to });
  }
  return (
    <>
      <MenuItem data-testid="user-nav-item-models" onSelect={() => go("/models")}>
        <Cpu />
        {t("models:page.title")}
      </MenuItem>
      {isAdmin && (
        <MenuItem data-testid="user-nav-item-runs" onSelect={() => go("/runs")}>
          <ChartSpline />
          {t("runs:title")}
        </MenuItem>
      )}
    </>
  );
}
