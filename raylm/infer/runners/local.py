"""Which runner a configuration and a machine ask for, within this process."""

import logging
import os

import torch

from raylm.core.errors import ConfigError, MissingDependencyError, UsageError
from raylm.core.schema import ModelConfig
from raylm.infer.runners.fallback import FallbackRunner
from raylm.infer.runners.packed import PackedRunner, decoder_dims
from raylm.infer.runners.runner import Runner, TorchRunner
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm_kernels.cpu import build
from raylm_kernels.cpu.decoder import KvBits
from raylm_kernels.cpu.packed_folder import PackedFolder

log = logging.getLogger(__name__)


def local_runner(config: ModelConfig, source: ModelSource, device: str, limit: int) -> Runner:
    """With as much of a cache as `kv_cache_bytes` pays for and sequences of `limit` tokens can
    use. Raises ConfigError or MissingDependencyError."""
    quantization = choose_quantization(config, source.spec, device)
    threads = config.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    if quantization == "none":
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        num_blocks = num_blocks_for(config, TorchRunner.token_bytes(source.spec, dtype), limit)
        return _torch_runner(config, source, device, dtype, num_blocks, threads)
    try:
        PackedFolder()
    except ValueError as error:
        raise ConfigError(str(error)) from None
    kv_bits: KvBits = 8 if config.kv_cache_dtype == "int8" else 16
    num_blocks = num_blocks_for(config, PackedRunner.token_bytes(source.spec, kv_bits), limit)
    packed = PackedRunner(
        source,
        weight_bits=8 if quantization == "int8" else 4,
        num_blocks=num_blocks,
        block_size=config.block_size,
        threads=threads,
        head_bits=4 if config.head_quantization == "int4" else 8,
        kv_bits=kv_bits,
    )
    return FallbackRunner(
        packed,
        lambda: _torch_runner(config, source, device, torch.float32, num_blocks, threads),
    )


def _torch_runner(
    config: ModelConfig,
    source: ModelSource,
    device: str,
    dtype: torch.dtype,
    num_blocks: int,
    threads: int,
) -> TorchRunner:
    return TorchRunner(
        Decoder.from_source(source, dtype, device),
        num_blocks=num_blocks,
        block_size=config.block_size,
        threads=threads,
        graphs=config.cuda_graphs,
    )


def choose_quantization(config: ModelConfig, spec: ModelSpec, device: str = "cpu") -> str:
    """`auto` is int8 where that can run, else none; what is asked for by name has no fallback, nor
    has what needs it."""
    asked, needs_packing = config.quantization, _needs_packing(config)
    if asked == "none":
        if needs_packing is not None:
            raise ConfigError(
                f"{needs_packing} {getattr(config, needs_packing)} comes with int8 or int4 "
                f"weights; quantization is none: choose one of them, or {needs_packing} auto"
            )
        return asked
    obstacle = _obstacle_to_packing(config, spec, device)
    if obstacle is None:
        return "int8" if asked == "auto" else asked
    if asked != "auto" or needs_packing is not None:
        raise obstacle
    log.warning("serving %s without quantization: %s", config.model, obstacle)
    return "none"


def split_of(config: ModelConfig) -> str:
    return (
        f"tensor_parallel {config.tensor_parallel} and pipeline_parallel {config.pipeline_parallel}"
    )


def num_blocks_for(config: ModelConfig, token_bytes: int, limit: int) -> int:
    """As many as `kv_cache_bytes` pay for, but no more than could ever be in use."""
    affordable = config.kv_cache_bytes // (token_bytes * config.block_size)
    per_sequence = -(-limit // config.block_size)
    if affordable < 1 or (config.max_model_len is not None and affordable < per_sequence):
        raise ConfigError(
            f"kv_cache_bytes {config.kv_cache_bytes} is too little for max_model_len {limit}, "
            f"which needs {per_sequence * config.block_size * token_bytes}; raise it"
        )
    return min(affordable, per_sequence * config.max_running)


def _needs_packing(config: ModelConfig) -> str | None:
    """A key that asks for what only the packed runner has."""
    keys = ("head_quantization", "kv_cache_dtype")
    return next((key for key in keys if getattr(config, key) != "auto"), None)


def _obstacle_to_packing(config: ModelConfig, spec: ModelSpec, device: str) -> UsageError | None:
    if config.topology.world_size > 1:
        return ConfigError(
            f"int8 and int4 weights run in one process, not with {split_of(config)}; "
            "choose quantization none"
        )
    if device != "cpu":
        return ConfigError(f"int8 and int4 weights run on the cpu, not on {device!r}")
    if config.block_size % 16:
        return ConfigError(
            f"block_size {config.block_size} does not suit int8 and int4 weights; "
            "use a multiple of 16"
        )
    available, reason = build.available()
    if not available:
        return MissingDependencyError(f"int8 and int4 weights need the CPU kernels: {reason}")
    try:
        decoder_dims(spec)
    except ValueError as error:
        return ConfigError(f"the CPU kernels do not cover this model: {error}")
    return None
