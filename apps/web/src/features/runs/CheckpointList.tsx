import { Button } from "@/components/ui/button";
import { type Checkpoint, loadCheckpoint } from "@/lib/api/runs";
import { notifyError } from "@/lib/notify";
import { useMutation } from "@tanstack/react-query";
import { MessageSquare } from "lucide-react";
import { useTranslation } from "react-i18next";
import { formatBytes, formatNumber, formatTime } from "./format";

interface CheckpointListProps {
  id: string;
  checkpoints: Checkpoint[];
  onChat: (model: string) => Promise<void>;
}

/** What was saved; each can be loaded and talked to. */
export function CheckpointList({ id, checkpoints, onChat }: CheckpointListProps) {
  const { t } = useTranslation("runs");
  const loading = useMutation({
    mutationFn: async (name: string) => onChat(await loadCheckpoint(id, name)),
    onError: (error) => void notifyError(error),
  });
  return (
    <section aria-labelledby="run-checkpoints">
      <h2 id="run-checkpoints" className="mb-2 font-semibold">
        {t("checkpoints")}
      </h2>
      {checkpoints.length === 0 && (
        <p className="text-sm text-muted-foreground">{t("noCheckpoints")}</p>
      )}
      <ul className="flex flex-col gap-2">
        {checkpoints.map((checkpoint) => {
          const step = formatNumber(checkpoint.step);
          const isLoading = loading.isPending && loading.variables === checkpoint.name;
          return (
            <li
              key={checkpoint.name}
              className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-2xl border bg-surface px-4 py-2.5 text-sm"
            >
              <span className="tabular-nums">
                <span className="font-medium">{t("stepNumber", { step })}</span>
                <span className="text-muted-foreground">
                  {" · "}
                  {formatBytes(checkpoint.sizeBytes)} · {formatTime(checkpoint.savedAt)}
                  {checkpoint.isLatest && ` · ${t("latest")}`}
                </span>
              </span>
              <Button
                size="small"
                className="pointer-coarse:h-11"
                disabled={loading.isPending}
                aria-label={t("chatWithStep", { step })}
                onClick={() => loading.mutate(checkpoint.name)}
              >
                <MessageSquare className="size-3.5" />
                {isLoading ? t("loadingCheckpoint") : t("chat")}
              </Button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
