/** A signal that this browser remembers and that its tabs share. */
import { parseJson } from "@/lib/json";
import { type Signal, createSignal } from "@/lib/signal";
import * as z from "zod/v4/core";

export function createPreference<Schema extends z.$ZodType>(
  name: string,
  schema: Schema,
  fallback: z.infer<Schema>,
): Signal<z.infer<Schema>> {
  const key = `raylm:${name}`;

  function stored(): z.infer<Schema> {
    const parsed = z.safeParse(schema, parseJson(localStorage.getItem(key) ?? ""));
    return parsed.success ? parsed.data : fallback;
  }

  const signal = createSignal(stored());
  window.addEventListener("storage", (event) => {
    if (event.key === key) signal.set(stored());
  });
  return {
    ...signal,
    set: (value) => {
      localStorage.setItem(key, JSON.stringify(value));
      signal.set(value);
    },
  };
}
