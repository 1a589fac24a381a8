/** Which curves stand together, and in what unit. */
import type { Curves } from "@/lib/api/runs";

export interface Panel {
  id: "loss" | "reward" | "kl" | "rate" | "norm" | "throughput" | "memory" | "workers";
  columns: string[];
  unit: "plain" | "bytes";
  /** A value holds until the next one. */
  isStepped?: boolean;
}

const PANELS: Panel[] = [
  { id: "loss", columns: ["loss", "heldout_loss"], unit: "plain" },
  { id: "reward", columns: ["reward"], unit: "plain" },
  { id: "kl", columns: ["kl", "entropy"], unit: "plain" },
  { id: "rate", columns: ["lr"], unit: "plain" },
  { id: "norm", columns: ["grad_norm"], unit: "plain" },
  { id: "throughput", columns: ["tokens_per_second"], unit: "plain" },
  {
    id: "memory",
    columns: ["peak_bytes", "param_bytes", "grad_bytes", "optimizer_bytes"],
    unit: "bytes",
  },
  { id: "workers", columns: ["world_size"], unit: "plain", isStepped: true },
];

/** Those that the run has something for. */
export function panelsOf(curves: Curves): Panel[] {
  return PANELS.map((panel) => ({
    ...panel,
    columns: panel.columns.filter((name) => name in curves.columns),
  })).filter((panel) => panel.columns.length > 0);
}
