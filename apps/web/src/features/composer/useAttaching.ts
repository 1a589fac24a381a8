import type { Model } from "@/lib/api/models";
import { t } from "@/lib/i18n";
import { notifyRefusal } from "@/lib/notify";
import { MAX_FILES, type Refusal, refusalOf } from "./attachment";
import type { useDraft } from "./useDraft";

interface AttachingOptions {
  draft: ReturnType<typeof useDraft>;
  model: Model | undefined;
}

/** Takes the files that can go along, and says why of the others. */
export function useAttaching({ draft, model }: AttachingOptions) {
  const seesImages = model?.capabilities.vision ?? false;

  return (files: File[]): void => {
    const taken: File[] = [];
    for (const file of files) {
      const count = draft.attachments.length + taken.length;
      const refusal = refusalOf(file, { seesImages, count });
      if (refusal) void notifyRefusal(reason(refusal, file.name, model?.name ?? ""));
      else taken.push(file);
    }
    draft.add(taken);
  };
}

const KEY_BY_REFUSAL = {
  kind: "composer:refusedKind",
  vision: "composer:refusedVision",
  count: "composer:refusedCount",
  empty: "composer:refusedEmpty",
} as const;

function reason(refusal: Refusal, name: string, model: string): string {
  return t(KEY_BY_REFUSAL[refusal], { name, model, count: MAX_FILES });
}
