"""From a model's name and a ServeConfig to an engine ready to step."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import ConfigError, MissingDependencyError, UsageError
from raylm.core.garbage import uncollected
from raylm.core.schema import ServeConfig
from raylm.infer.engine import Engine
from raylm.infer.packed_runner import PackedRunner, decoder_dims
from raylm.infer.runner import Runner, TorchRunner
from raylm.infer.scheduler import Limits
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm_kernels.cpu import build
from raylm_kernels.cpu.decoder import KvBits
from raylm_kernels.cpu.packed_folder import PackedFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine, the model in it, and the configuration both were made from."""

    engine: Engine
    source: ModelSource
    config: ServeConfig

    @property
    def model_name(self) -> str:
        return self.config.name or f"raylm/{self.source.name}"


Model = str | Path | ModelSource | ServeConfig


def load(model: Model, options: Mapping[str, Any], device: str = "cpu") -> Loaded:
    """`options` are keys of ServeConfig, laid over `model` where that is one already.

    Raises ModelNotFoundError, WeightsError, CheckpointError, ConfigError or
    MissingDependencyError.
    """
    config = _config(model, options)
    with uncollected():
        return _load(config, model, device)


def _load(config: ServeConfig, model: Model, device: str) -> Loaded:
    source = model if isinstance(model, ModelSource) else open_model_or_run(config.model)
    quantization = _choose_quantization(config, source.spec, device)
    limit = _requested_length(config, source.spec)
    runner = _runner(config, source, quantization, device, limit)
    engine = Engine(
        runner,
        source.tokenizer,
        vocab_size=source.spec.vocab_size,
        max_model_len=min(limit, runner.num_blocks * runner.block_size),
        limits=Limits(config.max_running, config.max_batch_tokens),
    )
    return Loaded(engine, source, config)


def _config(model: Model, options: Mapping[str, Any]) -> ServeConfig:
    """A quantization of None means what the word `none` means in a file."""
    given = dict(options)
    if "quantization" in given:
        given["quantization"] = given["quantization"] or "none"
    if isinstance(model, ServeConfig):
        return ServeConfig.load(model.to_dict() | given) if given else model
    name = model.name if isinstance(model, ModelSource) else str(model)
    return ServeConfig.load({"model": name} | given)


def _choose_quantization(config: ServeConfig, spec: ModelSpec, device: str) -> str:
    """`auto` is int8 where that can run, else none; what is asked for by name has no fallback, nor
    has what needs it."""
    asked = config.quantization
    if asked == "none":
        if config.kv_cache_dtype == "int8":
            raise ConfigError(
                "kv_cache_dtype int8 comes with int8 or int4 weights; quantization is none: "
                "choose one of them, or kv_cache_dtype auto"
            )
        return asked
    obstacle = _obstacle_to_packing(config, spec, device)
    if obstacle is None:
        return "int8" if asked == "auto" else asked
    if asked != "auto" or config.kv_cache_dtype == "int8":
        raise obstacle
    log.warning("serving %s without quantization: %s", config.model, obstacle)
    return "none"


def _obstacle_to_packing(config: ServeConfig, spec: ModelSpec, device: str) -> UsageError | None:
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


def _requested_length(config: ServeConfig, spec: ModelSpec) -> int:
    asked = config.max_model_len
    if asked is not None and asked > spec.max_positions:
        raise ConfigError(
            f"max_model_len {asked} is more than the model's context of {spec.max_positions}; "
            "lower it"
        )
    return asked or spec.max_positions


def _runner(
    config: ServeConfig, source: ModelSource, quantization: str, device: str, limit: int
) -> Runner:
    threads = config.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    if quantization == "none":
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        num_blocks = _num_blocks(config, TorchRunner.token_bytes(source.spec, dtype), limit)
        decoder = Decoder.from_source(source, dtype, device)
        return TorchRunner(
            decoder, num_blocks=num_blocks, block_size=config.block_size, threads=threads
        )
    try:
        PackedFolder()
    except ValueError as error:
        raise ConfigError(str(error)) from None
    kv_bits: KvBits = 8 if config.kv_cache_dtype == "int8" else 16
    return PackedRunner(
        source,
        weight_bits=8 if quantization == "int8" else 4,
        num_blocks=_num_blocks(config, PackedRunner.token_bytes(source.spec, kv_bits), limit),
        block_size=config.block_size,
        threads=threads,
        kv_bits=kv_bits,
    )


def _num_blocks(config: ServeConfig, token_bytes: int, limit: int) -> int:
    """As many as `kv_cache_bytes` pay for, but no more than could ever be in use."""
    affordable = config.kv_cache_bytes // (token_bytes * config.block_size)
    per_sequence = -(-limit // config.block_size)
    if affordable < 1 or (config.max_model_len is not None and affordable < per_sequence):
        raise ConfigError(
            f"kv_cache_bytes {config.kv_cache_bytes} is too little for max_model_len {limit}, "
            f"which needs {per_sequence * config.block_size * token_bytes}; raise it"
        )
    return min(affordable, per_sequence * config.max_running)
