import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { type Model, fetchModels, isLocal } from "@/lib/api/models";
import { errorMessage } from "@/lib/errors";
import { i18n } from "@/lib/i18n";
import { useQuery } from "@tanstack/react-query";
import { MessageSquare } from "lucide-react";
import { useTranslation } from "react-i18next";

interface ModelCatalogProps {
  onChat: (model: string) => void;
}

/** The models that whoever is here may ask. */
export function ModelCatalog({ onChat }: ModelCatalogProps) {
  const { t } = useTranslation("models");
  const { data, error } = useQuery({
    queryKey: ["models"],
    queryFn: ({ signal }) => fetchModels(signal),
    refetchInterval: 60_000,
  });
  if (error && !data) return <p role="alert">{errorMessage(error)}</p>;
  if (!data) return <Skeleton className="h-40 w-full" />;
  if (data.models.length === 0) return <p className="text-muted-foreground">{t("page.none")}</p>;
  return (
    <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
      {data.models.map((model) => (
        <ModelCard key={model.id} model={model} onChat={onChat} />
      ))}
    </ul>
  );
}

function ModelCard({ model, onChat }: { model: Model; onChat: (model: string) => void }) {
  const { t } = useTranslation("models");
  const traits = [
    !model.isChat && t("page.completion"),
    model.capabilities.tools && t("page.tools"),
    model.capabilities.vision && t("page.vision"),
    model.capabilities.reasoning && t("page.reasoning"),
  ].filter((trait) => trait !== false);
  return (
    <li
      data-testid={`model-card-${model.id}`}
      className="flex flex-col gap-3 rounded-2xl border bg-surface p-4 text-sm"
    >
      <div className="min-w-0">
        <h3 className="font-semibold break-words">{model.name}</h3>
        <p className="text-xs break-all text-muted-foreground">
          {isLocal(model) ? t("page.local") : model.provider} · {model.id}
        </p>
      </div>
      <ul className="flex flex-wrap gap-1.5 text-xs empty:hidden">
        {traits.map((trait) => (
          <li key={trait} className="rounded-full bg-muted px-2 py-0.5">
            {trait}
          </li>
        ))}
      </ul>
      <p className="flex-1 text-xs text-muted-foreground tabular-nums">
        {model.contextTokens !== null &&
          t("page.context", { tokens: numberOf(model.contextTokens) })}
        {model.prices && (
          <span className="block">
            {t("page.price", {
              input: dollars(model.prices.input),
              output: dollars(model.prices.output),
            })}
          </span>
        )}
      </p>
      <Button
        size="small"
        className="self-start pointer-coarse:h-11"
        aria-label={t("page.chatWith", { model: model.name })}
        onClick={() => onChat(model.id)}
      >
        <MessageSquare className="size-3.5" />
        {t("page.chat")}
      </Button>
    </li>
  );
}

function numberOf(value: number): string {
  return new Intl.NumberFormat(i18n.language).format(value);
}

function dollars(value: number): string {
  const format = { style: "currency", currency: "USD", maximumFractionDigits: 3 } as const;
  return new Intl.NumberFormat(i18n.language, format).format(value);
}
