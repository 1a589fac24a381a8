import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import type { LocalModel } from "@/lib/api/adminModels";
import { cn } from "@/lib/classNames";
import { errorMessage } from "@/lib/errors";
import { i18n } from "@/lib/i18n";
import { useTranslation } from "react-i18next";
import { ProviderList } from "./ProviderList";
import { useAdminModels } from "./useAdminModels";

const DOT_CLASSES: Record<LocalModel["state"], string> = {
  loaded: "bg-emerald-600 dark:bg-emerald-400",
  loading: "bg-accent animate-pulse",
  unloaded: "border-2 border-muted-foreground",
  failed: "bg-danger",
};

/** The local engine and the providers, for admins. */
export function LocalModels() {
  const { t } = useTranslation("models");
  const { data, error, load, unload } = useAdminModels();
  if (error && !data) return <p role="alert">{errorMessage(error)}</p>;
  if (!data) return <Skeleton className="h-40 w-full" />;
  const engine = data.engine;
  const isChanging = load.isPending || unload.isPending;
  return (
    <>
      <section aria-labelledby="local-models">
        <h2 id="local-models" className="mb-1 font-semibold">
          {t("page.engine")}
        </h2>
        <p role="status" className="mb-3 text-sm text-muted-foreground">
          {!engine && t("page.noEngine")}
          {engine && !engine.isUp && t("page.engineDown", { error: engine.error ?? "" })}
          {engine?.isUp && t("page.memory", { memory: gigabytes(engine.availableBytes) })}
          {engine?.isUp && !engine.canChange && ` ${t("page.noKey")}`}
        </p>
        <ul className="flex flex-col gap-2">
          {engine?.models.map((model) => (
            <li
              key={model.id}
              data-testid={`local-model-${model.id}`}
              className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-2xl border bg-surface px-4 py-3 text-sm"
            >
              <ModelState model={model} />
              {engine.canChange && engine.isUp && (
                <ChangeButton
                  model={model}
                  isDisabled={isChanging}
                  isBusy={
                    (load.isPending && load.variables === model.model) ||
                    (unload.isPending && unload.variables === model.id)
                  }
                  onLoad={load.mutate}
                  onUnload={unload.mutate}
                />
              )}
            </li>
          ))}
        </ul>
      </section>
      <ProviderList providers={data.providers} />
    </>
  );
}

function ModelState({ model }: { model: LocalModel }) {
  const { t } = useTranslation("models");
  const figures = [
    model.tokensPerSecond !== null && t("page.speed", { speed: rounded(model.tokensPerSecond) }),
    model.firstTokenSeconds !== null &&
      t("page.firstToken", { milliseconds: rounded(model.firstTokenSeconds * 1000) }),
    model.running !== null &&
      t("page.queue", { running: model.running, waiting: model.waiting ?? 0 }),
    model.cacheUsed !== null && t("page.cache", { percent: rounded(model.cacheUsed * 100) }),
  ].filter((figure) => figure !== false);
  return (
    <div className="min-w-0 flex-1">
      <p className="flex items-center gap-2.5">
        <span
          aria-hidden="true"
          className={cn("size-2.5 shrink-0 rounded-full", DOT_CLASSES[model.state])}
        />
        <span className="font-medium break-all">{model.id}</span>
        <span className="text-xs text-muted-foreground">{t(`page.state.${model.state}`)}</span>
      </p>
      {figures.length > 0 && (
        <p className="mt-0.5 ps-5 text-xs text-muted-foreground tabular-nums">
          {figures.join(" · ")}
        </p>
      )}
      {model.failure && <p className="mt-0.5 ps-5 text-xs text-danger">{model.failure}</p>}
    </div>
  );
}

interface ChangeButtonProps {
  model: LocalModel;
  isDisabled: boolean;
  isBusy: boolean;
  onLoad: (model: string) => void;
  onUnload: (id: string) => void;
}

function ChangeButton({ model, isDisabled, isBusy, onLoad, onUnload }: ChangeButtonProps) {
  const { t } = useTranslation("models");
  const isLoaded = model.state === "loaded";
  const source = model.model;
  if (!isLoaded && source === null) return null;
  const action = isLoaded ? "unload" : "load";
  return (
    <Button
      size="small"
      className="pointer-coarse:h-11"
      disabled={isDisabled || model.state === "loading"}
      aria-label={t(`page.${action}Model`, { model: model.id })}
      onClick={() => (isLoaded ? onUnload(model.id) : source !== null && onLoad(source))}
    >
      {t(isBusy ? `page.${action}ing` : `page.${action}`)}
    </Button>
  );
}

function rounded(value: number): string {
  return new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 0 }).format(value);
}

function gigabytes(bytes: number | null): string {
  if (bytes === null) return "–";
  const format = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 });
  return `${format.format(bytes / 2 ** 30)} GiB`;
}
