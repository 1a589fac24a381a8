"""zero_optimization: the stage and its sizes. Elements become bytes."""

from raylm.core.schema import ZeroConfig
from raylm.train.deepspeed.precision import Arithmetic, bytes_of
from raylm.train.deepspeed.section import Section

_OURS = ZeroConfig()
_PERSISTENT_ELEMENTS = 100_000

# These choose how DeepSpeed computes a result, or bound buffers that we do not have.
_HARMLESS_FLAGS = (
    "allgather_partitions",
    "compute_grad_norm",
    "contiguous_gradients",
    "cpu_offload_use_pin_memory",
    "elastic_checkpoint",
    "enable_sanity_checks",
    "legacy_stage1",
    "load_from_fp32_weights",
    "log_trace_cache_warnings",
    "memory_efficient_linear",
    "override_module_apply",
    "parameter_alignment",
    "pipeline_loading_checkpoint",
    "reduce_scatter",
    "round_robin_gradients",
    "save_muon_momentum_buffer_in_memory",
    "stage3_allgather_sequential",
    "stage3_gather_16bit_weights_on_model_save",
    "stage3_gather_fp16_weights_on_model_save",
    "stage3_use_all_reduce_for_fetch_params",
    "use_multi_rank_bucket_allreduce",
)
_HARMLESS_INTEGERS = (
    "stage3_max_live_parameters",
    "stage3_max_reuse_distance",
    "stage3_model_persistence_threshold",
    "stage3_module_granularity_threshold",
    "sub_group_size",
)
_UNCOMPRESSED = (
    "zero_quantized_weights",
    "zero_quantized_nontrainable_weights",
    "zero_quantized_gradients",
)
_OTHERWISE = {
    "leaf_module": "not applied; name the modules gathered as one in zero.units",
    "mics_shard_size": "not applied: shards spread over all workers",
    "mics_hierarchical_params_gather": "not applied: shards spread over all workers",
    "zenflow": "not applied: every step updates all parameters",
    "zeropp_loco_param": "not applied: traffic is not quantized",
}
_OFFLOADS = {
    "offload_optimizer": ("cpu_offload", "states"),
    "offload_param": ("cpu_offload_param", "parameters"),
}


def read_zero(root: Section, arithmetic: Arithmetic) -> ZeroConfig:
    legacy_bucket = root.integer("allgather_size", None, least=1)
    if isinstance(root.value("zero_optimization"), bool):
        stage = int(root.flag("zero_optimization"))
        return ZeroConfig(stage=stage, bucket_bytes=_bucket_bytes(legacy_bucket, arithmetic))
    section = root.section("zero_optimization")
    stage = section.integer("stage", 0, most=3)
    reduced = section.integer("reduce_bucket_size", None, least=1)
    gathered = section.integer("allgather_bucket_size", None)
    prefetched = section.integer("stage3_prefetch_bucket_size", None)
    kept_whole = section.integer(
        "stage3_param_persistence_threshold",
        _PERSISTENT_ELEMENTS if stage == 3 else _OURS.persistence_threshold,
        _OURS.persistence_threshold,
    )
    _warn_of_offload(section)
    _warn_of_rest(section)
    return ZeroConfig(
        stage=stage,
        bucket_bytes=_bucket_bytes(reduced or gathered, arithmetic),
        prefetch_bytes=_OURS.prefetch_bytes
        if prefetched is None
        else prefetched * bytes_of(arithmetic.parameters),
        persistence_threshold=kept_whole,
    )


def _bucket_bytes(elements: int | None, arithmetic: Arithmetic) -> int:
    return elements * bytes_of(arithmetic.gradients) if elements else _OURS.bucket_bytes


def _warn_of_offload(section: Section) -> None:
    for key, (legacy_key, what) in _OFFLOADS.items():
        text = f"ignored for now: {what} stay on the device"
        offload = section.section(key)
        if offload.choice("device", ("none", "cpu", "nvme"), "none") != "none":
            section.warn(key, text)
        if section.flag(legacy_key):
            section.warn(legacy_key, text)
        for name in ("fast_init", "pin_memory", "pipeline_read", "pipeline_write", "super_offload"):
            offload.flag(name)
        for name in ("buffer_count", "buffer_size", "max_in_cpu"):
            offload.integer(name, 0)
        for name in ("cpuadam_cores_perc", "ratio"):
            offload.number(name, 0.0, zero=True)
        offload.value("nvme_path")


def _warn_of_rest(section: Section) -> None:
    for key in _HARMLESS_FLAGS:
        section.flag(key)
    for key in _HARMLESS_INTEGERS:
        section.integer(key, 0)
    for key in _UNCOMPRESSED:
        if section.flag(key):
            section.warn(key, "not applied: traffic is not quantized")
    for key, text in _OTHERWISE.items():
        if section.is_given(key):
            section.warn(key, text)
    if section.integer("zero_hpz_partition_size", 1) > 1:
        section.warn("zero_hpz_partition_size", "not applied: shards spread over all workers")
    if not section.flag("overlap_comm", absent=True):
        section.warn("overlap_comm", "communication always overlaps the backward pass")
    if not section.flag("ignore_unused_parameters", absent=True):
        section.warn("ignore_unused_parameters", "a parameter without a gradient is no error")
