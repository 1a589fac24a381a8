import type { Model } from "@/lib/api/models";
import { Command } from "cmdk";
import { useTranslation } from "react-i18next";
import { ModelItem } from "./ModelItem";

interface ModelListProps {
  models: Model[];
  model: Model | undefined;
  onChoose: (id: string) => void;
}

const GROUP_CLASSES =
  "[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted-foreground";

/** The models as a list to search. */
export default function ModelList({ models, model, onChoose }: ModelListProps) {
  const { t } = useTranslation("models");
  return (
    <Command label={t("models")} defaultValue={model?.id ?? ""}>
      <Command.Input
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- a popover opens on its first field
        autoFocus
        placeholder={t("search")}
        className="w-full border-b bg-transparent px-3.5 py-2.5 text-sm outline-none placeholder:text-muted-foreground pointer-coarse:py-3.5"
      />
      <Command.List className="max-h-[min(24rem,60dvh)] scrollbar-quiet overflow-y-auto p-1">
        <Command.Empty className="p-3 text-sm text-muted-foreground">
          {t("noneFound")}
        </Command.Empty>
        <Command.Group heading={t("available")} className={GROUP_CLASSES}>
          {models.map((option) => (
            <ModelItem
              key={option.id}
              model={option}
              isChosen={option.id === model?.id}
              onChoose={onChoose}
            />
          ))}
        </Command.Group>
      </Command.List>
    </Command>
  );
}
