import { type Model, isLocal } from "@/lib/api/models";
import { Command } from "cmdk";
import { Check } from "lucide-react";

interface ModelListProps {
  models: Model[];
  model: Model | undefined;
  onChoose: (id: string) => void;
}

const GROUP_CLASSES =
  "[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted-foreground";

/** The models as a list to search. */
export default function ModelList({ models, model, onChoose }: ModelListProps) {
  return (
    <Command label="Models" defaultValue={model?.id ?? ""}>
      <Command.Input
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- a popover opens on its first field
        autoFocus
        placeholder="Search models..."
        className="w-full border-b bg-transparent px-3.5 py-2.5 text-sm outline-none placeholder:text-muted-foreground"
      />
      <Command.List className="max-h-80 scrollbar-quiet overflow-y-auto p-1">
        <Command.Empty className="p-3 text-sm text-muted-foreground">
          No model by that name.
        </Command.Empty>
        <Command.Group heading="Available" className={GROUP_CLASSES}>
          {models.map((option) => (
            <Command.Item
              key={option.id}
              value={option.id}
              keywords={[option.name]}
              data-testid={`model-selector-item-${option.id}`}
              onSelect={() => onChoose(option.id)}
              className="flex items-center gap-3 rounded-lg px-2.5 py-2 text-sm data-[selected=true]:bg-muted"
            >
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{option.name}</span>
                <span className="block truncate text-xs text-muted-foreground">
                  {describe(option)}
                </span>
              </span>
              {option.id === model?.id && <Check className="size-4 text-accent-text" />}
            </Command.Item>
          ))}
        </Command.Group>
      </Command.List>
    </Command>
  );
}

function describe(model: Model): string {
  const traits = [isLocal(model) ? "on your own hardware" : model.provider];
  if (!model.isChat) traits.push("plain completion");
  else if (!model.capabilities.tools) traits.push("no tools");
  if (model.capabilities.reasoning) traits.push("thinks first");
  return traits.join(" · ");
}
