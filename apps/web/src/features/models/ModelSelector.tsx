import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import type { Model } from "@/lib/api/models";
import { useSignal } from "@/lib/signal";
import { ChevronDown } from "lucide-react";
import { Popover } from "radix-ui";
import { Suspense, lazy, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { isModelPickerOpen } from "./modelPicker";

const ModelList = lazy(() => import("./ModelList"));

interface ModelSelectorProps {
  /** Undefined until they are known. */
  models: Model[] | undefined;
  model: Model | undefined;
  onChoose: (id: string) => void;
}

/** Which model answers, and the list to choose another from. */
export function ModelSelector({ models, model, onChoose }: ModelSelectorProps) {
  const { t } = useTranslation("models");
  const isOpen = useSignal(isModelPickerOpen);
  useEffect(() => () => isModelPickerOpen.set(false), []);
  if (!models) return <Skeleton className="ms-2.5 h-4 w-36" />;
  return (
    <Popover.Root open={isOpen} onOpenChange={isModelPickerOpen.set}>
      <Popover.Trigger asChild>
        <Button
          variant="ghost"
          data-testid="model-selector"
          aria-label={t("chosen", { model: model?.name ?? t("none") })}
          className="max-w-[60vw] gap-1.5 px-2.5 text-foreground disabled:bg-transparent pointer-coarse:h-11"
          disabled={models.length === 0}
        >
          <span className="truncate">{model?.name ?? t("none")}</span>
          <ChevronDown className="size-4 text-muted-foreground" />
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          aria-label={t("models")}
          align="start"
          sideOffset={6}
          collisionPadding={8}
          // Focus goes back to the button a moment after closing, when the list may be open again.
          onCloseAutoFocus={(event) => {
            if (isModelPickerOpen.get()) event.preventDefault();
          }}
          className="z-50 w-[min(24rem,calc(100vw-1rem))] overflow-hidden rounded-xl border bg-surface shadow-float data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-97"
        >
          <Suspense>
            <ModelList
              models={models}
              model={model}
              onChoose={(id) => {
                onChoose(id);
                isModelPickerOpen.set(false);
              }}
            />
          </Suspense>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
