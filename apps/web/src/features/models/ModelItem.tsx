import { type Model, isLocal } from "@/lib/api/models";
import { Command } from "cmdk";
import { Check } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Capabilities } from "./Capabilities";
import { priceRange, providerName, shortCount } from "./facts";

interface ModelItemProps {
  model: Model;
  isChosen: boolean;
  onChoose: (id: string) => void;
}

export function ModelItem({ model, isChosen, onChoose }: ModelItemProps) {
  return (
    <Command.Item
      value={model.id}
      keywords={[model.name, model.provider]}
      data-testid={`model-selector-item-${model.id}`}
      onSelect={() => onChoose(model.id)}
      className="flex items-center gap-3 rounded-lg px-2.5 py-2 text-sm data-[selected=true]:bg-muted pointer-coarse:py-2.5"
    >
      <span className="min-w-0 flex-1">
        <span className="flex items-center gap-2">
          <span className="truncate font-medium">{model.name}</span>
          <Capabilities capabilities={model.capabilities} />
        </span>
        <span className="block truncate text-xs text-muted-foreground">
          {useFacts(model).join(" · ")}
        </span>
      </span>
      {isChosen && <Check aria-hidden="true" className="size-4 shrink-0 text-accent-text" />}
    </Command.Item>
  );
}

function useFacts(model: Model): string[] {
  const { t } = useTranslation("models");
  const { provider, contextTokens, prices } = model;
  return [
    isLocal(model) ? t("local") : providerName(provider),
    ...(model.isChat ? [] : [t("plainCompletion")]),
    ...(contextTokens ? [t("context", { tokens: shortCount(contextTokens) })] : []),
    ...(prices ? [t("price", { range: priceRange(prices) })] : []),
  ];
}
