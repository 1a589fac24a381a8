import type { Model } from "@/lib/api/models";
import { Brain, Eye, Wrench } from "lucide-react";
import { useTranslation } from "react-i18next";

const SIGNS = [
  { capability: "tools", Icon: Wrench },
  { capability: "vision", Icon: Eye },
  { capability: "reasoning", Icon: Brain },
] as const;

/** What a model can beside text, as signs with names. */
export function Capabilities({ capabilities }: Pick<Model, "capabilities">) {
  const { t } = useTranslation("models");
  return (
    <span className="flex gap-1.5">
      {SIGNS.filter(({ capability }) => capabilities[capability]).map(({ capability, Icon }) => (
        <span
          key={capability}
          role="img"
          aria-label={t(capability)}
          title={t(capability)}
          className="text-muted-foreground"
        >
          <Icon className="size-3.5" />
        </span>
      ))}
    </span>
  );
}
