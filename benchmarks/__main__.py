"""`python -m benchmarks`: every benchmark that needs no GPU, one after the other."""

import importlib

MODULES = (
    "benchmarks.kernels.linear",
    "benchmarks.kernels.training",
    "benchmarks.kernels.sparse_attention",
    "benchmarks.kernels.linear_loss",
    "benchmarks.kernels.choice",
    "benchmarks.kernels.bench_decoder",
    "benchmarks.infer.bench_decode",
    "benchmarks.infer.bench_workers",
    "benchmarks.infer.startup",
    "benchmarks.gateway.bench_first_token",
    "benchmarks.serve.affinity",
    "benchmarks.serve.over_http",
    "benchmarks.train.quickstart",
    "benchmarks.train.zero_peers",
    "benchmarks.train.zero_cost",
    "benchmarks.train.zero_overlap",
    "benchmarks.train.zero_checkpoint",
    "benchmarks.elastic.kills",
    "benchmarks.elastic.joins",
    "benchmarks.elastic.node_crash",
    "benchmarks.elastic.curve",
    "benchmarks.elastic.replica_cost",
    "benchmarks.elastic.control_plane",
    "benchmarks.elastic.chaos",
    "benchmarks.elastic.peers",
)

for module in MODULES:
    print(f"\n== {module}", flush=True)
    importlib.import_module(module).main()
