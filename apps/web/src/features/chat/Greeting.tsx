import { RayMark } from "@/components/RayMark";
import { type Model, isLocal } from "@/lib/api/models";
import { useTranslation } from "react-i18next";

export function Greeting({ model }: { model: Model | undefined }) {
  const { t } = useTranslation("chat");
  const deed = model?.isChat === false ? "continues" : "answers";
  return (
    <div className="flex animate-in flex-col items-center px-4 pb-8 text-center duration-500 fade-in-0 slide-in-from-bottom-2">
      <RayMark className="mb-5 size-10" />
      <h1 className="text-[1.7rem] leading-tight font-semibold tracking-[-0.025em] text-balance md:text-4xl">
        {model?.isChat === false ? t("greeting.base") : t("greeting.chat")}
      </h1>
      <p className="mt-3 min-h-6 text-[15px] text-balance text-muted-foreground">
        {model &&
          t(`greeting.${deed}${isLocal(model) ? "Here" : "Elsewhere"}`, {
            model: model.name,
            provider: model.provider,
          })}
      </p>
    </div>
  );
}
