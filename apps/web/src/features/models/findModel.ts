import type { Model } from "@/lib/api/models";

/** The model that someone means by `words`: its id or name, else the first one that has them. */
export function findModel(models: Model[], words: string): Model | undefined {
  const wanted = words.toLowerCase();
  return (
    models.find((model) => namesOf(model).includes(wanted)) ??
    models.find((model) => namesOf(model).some((name) => name.includes(wanted)))
  );
}

function namesOf({ id, name }: Model): string[] {
  return [id.toLowerCase(), name.toLowerCase()];
}
