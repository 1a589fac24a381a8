import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import type { Model } from "@/lib/api/models";
import { ChevronDown } from "lucide-react";
import { Popover } from "radix-ui";
import { Suspense, lazy, useRef, useState } from "react";

const ModelList = lazy(() => import("./ModelList"));

interface ModelSelectorProps {
  /** Undefined until they are known. */
  models: Model[] | undefined;
  model: Model | undefined;
  onChoose: (id: string) => void;
}

export function ModelSelector({ models, model, onChoose }: ModelSelectorProps) {
  const [isOpen, setIsOpen] = useState(false);
  const isOpenAgain = useRef(false);
  const setOpen = (open: boolean) => {
    isOpenAgain.current = open;
    setIsOpen(open);
  };
  if (!models) return <Skeleton className="ms-2.5 h-4 w-36" />;
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <Button
          variant="ghost"
          data-testid="model-selector"
          aria-label={`Model: ${model?.name ?? "none"}`}
          className="max-w-[60vw] gap-1.5 px-2.5 text-foreground disabled:bg-transparent"
          disabled={models.length === 0}
        >
          <span className="truncate">{model?.name ?? "No model"}</span>
          <ChevronDown className="size-4 text-muted-foreground" />
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={6}
          collisionPadding={8}
          // Focus goes back to the button a moment after closing, when the list may be open again.
          onCloseAutoFocus={(event) => {
            if (isOpenAgain.current) event.preventDefault();
          }}
          className="z-50 w-80 overflow-hidden rounded-xl border bg-surface shadow-float data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-97"
        >
          <Suspense>
            <ModelList
              models={models}
              model={model}
              onChoose={(id) => {
                onChoose(id);
                setOpen(false);
              }}
            />
          </Suspense>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
