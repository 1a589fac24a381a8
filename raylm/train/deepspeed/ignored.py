"""Top-level keys without effect: those that lose nothing, and those that lose a feature."""

from collections.abc import Mapping

from raylm.train.deepspeed.section import Section

_HARMLESS_FLAGS = (
    "disable_allgather",
    "disable_python_gc",
    "dump_state",
    "memory_breakdown",
    "prescale_gradients",
    "wall_clock_breakdown",
    "zero_allow_untested_optimizer",
    "zero_force_ds_cpu_optimizer",
)
_PRINTING = ("log_level", "timers")
_FEATURES = (
    "aio",
    "autotuning",
    "checkpoint",
    "comet",
    "comms_logger",
    "compile",
    "compression_training",
    "csv_monitor",
    "curriculum_learning",
    "data_efficiency",
    "dataloader_drop_last",
    "datastates",
    "eigenvalue",
    "elasticity",
    "expert_parallel",
    "flops_profiler",
    "graph_harvesting",
    "hybrid_engine",
    "nebula",
    "pipeline",
    "progressive_layer_drop",
    "quantize_training",
    "seq_parallel_communication_data_type",
    "sparse_attention",
    "sparse_gradients",
    "tensor_parallel",
    "tensorboard",
    "use_data_before_expert_parallelism",
    "wandb",
    "weight_quantization",
)
_RECOMPUTE_FLAGS = (
    "contiguous_memory_optimization",
    "cpu_checkpointing",
    "partition_activations",
    "profile",
    "synchronize_checkpoint_boundary",
)


def read_ignored(root: Section) -> None:
    for key in _HARMLESS_FLAGS:
        root.flag(key)
    root.known.update(_PRINTING)
    # Accelerate writes infinity: never print.
    root.number("steps_per_print", None, zero=True, below=None)
    root.number("gradient_predivide_factor", 1.0)
    root.integer("vocabulary_size", None, least=1)
    _warn_of_gradients(root)
    _warn_of_recompute(root.section("activation_checkpointing"))
    if root.integer("sequence_parallel_size", 1, least=1) > 1:
        root.warn("sequence_parallel_size", "ignored: every worker has a batch of its own")
    for key in _FEATURES:
        if root.is_given(key) and not _is_off(root.value(key)):
            root.warn(key, "ignored: there is no counterpart yet")


def _is_off(value: object) -> bool:
    if isinstance(value, Mapping):
        return value.get("enabled") is False
    return value is False


def _warn_of_gradients(root: Section) -> None:
    if root.choice("gradient_allreduce_op", ("mean", "sum"), "mean") == "sum":
        root.warn("gradient_allreduce_op", "gradients are averaged, not summed")
    if not root.flag("managed_gradient_accumulation", absent=True):
        root.warn("managed_gradient_accumulation", "the engine counts the micro-batches")


def _warn_of_recompute(section: Section) -> None:
    asked = [key for key in _RECOMPUTE_FLAGS if section.flag(key)]
    if section.integer("number_checkpoints", None) is not None:
        asked.append("number_checkpoints")
    for key in asked:
        section.warn(key, "not applied yet: activations are kept for the backward pass")
