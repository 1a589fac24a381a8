import { RunList } from "@/features/runs/RunList";
import { useTranslation } from "react-i18next";
import { AdminsOnly } from "./AdminsOnly";
import { PageFrame } from "./PageFrame";

export function RunsRoute() {
  const { t } = useTranslation("runs");
  return (
    <PageFrame title={t("title")}>
      <AdminsOnly>
        <RunList />
      </AdminsOnly>
    </PageFrame>
  );
}
