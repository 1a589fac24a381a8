"""Every benchmark by the name it is asked for: those of `make bench`, which need no GPU, in order,
and those that need one or half an hour."""

MODULES = (
    "benchmarks.kernels.linear",
    "benchmarks.kernels.training",
    "benchmarks.kernels.sparse_attention",
    "benchmarks.kernels.linear_loss",
    "benchmarks.kernels.choice",
    "benchmarks.kernels.fusion",
    "benchmarks.kernels.bench_decoder",
    "benchmarks.infer.decode",
    "benchmarks.infer.bench_workers",
    "benchmarks.infer.startup",
    "benchmarks.gateway.bench_first_token",
    "benchmarks.gateway.history",
    "benchmarks.gateway.search",
    "benchmarks.gateway.streams",
    "benchmarks.gateway.relay",
    "benchmarks.web.page",
    "benchmarks.serve.bench_serve",
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

ON_REQUEST = ("benchmarks.serve.soak", "benchmarks.infer.gpu_decode")


def by_name() -> dict[str, str]:
    """`decode` -> benchmarks.infer.decode."""
    return {
        module.rpartition(".")[2].removeprefix("bench_"): module for module in MODULES + ON_REQUEST
    }
