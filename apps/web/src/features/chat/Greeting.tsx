import { RayMark } from "@/components/RayMark";
import { type Model, isLocal } from "@/lib/api/models";

export function Greeting({ model }: { model: Model | undefined }) {
  return (
    <div className="flex animate-in flex-col items-center px-4 pb-8 text-center duration-500 fade-in-0 slide-in-from-bottom-2">
      <RayMark className="mb-5 size-10" />
      <h1 className="text-[1.7rem] leading-tight font-semibold tracking-[-0.025em] text-balance md:text-4xl">
        {model?.isChat === false ? "Begin a text." : "What can I shed light on?"}
      </h1>
      <p className="mt-3 min-h-6 text-[15px] text-balance text-muted-foreground">
        {model && describe(model)}
      </p>
    </div>
  );
}

function describe(model: Model): string {
  const deed = model.isChat ? "answers" : "continues what you write";
  const place = isLocal(model) ? "on your own hardware" : `through ${model.provider}`;
  return `${model.name} ${deed}, ${place}.`;
}
