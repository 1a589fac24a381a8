/** One observable value, for state that lives outside React. */
import { useSyncExternalStore } from "react";

export interface Signal<Value> {
  get: () => Value;
  set: (value: Value) => void;
  subscribe: (listener: () => void) => () => void;
}

/** For those who may look but not change it. */
export type ReadSignal<Value> = Pick<Signal<Value>, "get" | "subscribe">;

export function createSignal<Value>(initial: Value): Signal<Value> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      value = next;
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useSignal<Value>(signal: ReadSignal<Value>): Value {
  return useSyncExternalStore(signal.subscribe, signal.get);
}
