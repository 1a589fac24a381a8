import { RunView } from "@/features/runs/RunView";
import { Link, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { AdminsOnly } from "./AdminsOnly";
import { PageFrame } from "./PageFrame";
import { useChatWith } from "./useChatWith";

export function RunRoute() {
  const { t } = useTranslation("runs");
  const { runId = "" } = useParams({ strict: false });
  const chatWith = useChatWith();
  const back = (
    <Link
      to="/runs"
      aria-label={t("all")}
      className="inline-flex size-9 shrink-0 items-center justify-center rounded-xl text-muted-foreground hover:bg-muted pointer-coarse:size-11"
    >
      <ArrowLeft className="size-[18px] rtl:rotate-180" />
    </Link>
  );
  return (
    <PageFrame title={runId} back={back}>
      <AdminsOnly>
        <RunView key={runId} id={runId} onChat={chatWith} />
      </AdminsOnly>
    </PageFrame>
  );
}
