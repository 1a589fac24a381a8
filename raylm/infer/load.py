"""From a model's name and a ServeConfig to an engine ready to step."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import ConfigError, MissingDependencyError, UsageError
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

log = logging.getLogger(__name__)


class RemoteRunner(Runner, Protocol):
    """A runner with processes of its own."""

    def check(self) -> None:
        """Raises EngineError once one of them has failed."""
        ...

    def close(self) -> None: ...


# The last argument: from the bytes a token takes in one process's cache to the number of blocks.
RunnerFactory = Callable[[ServeConfig, ModelSpec, Callable[[int], int]], RemoteRunner]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine, the model in it, and the configuration both were made from."""

    engine: Engine
    source: ModelSource
    config: ServeConfig
    workers: RemoteRunner | None = None

    @property
    def model_name(self) -> str:
        return self.config.name or f"raylm/{self.source.name}"


Model = str | Path | ModelSource | ServeConfig


def load(
    model: Model,
    options: Mapping[str, Any],
    device: str = "cpu",
    runner_factory: RunnerFactory | None = None,
) -> Loaded:
    """`options` are keys of ServeConfig, laid over `model` where that is one already.
    `runner_factory` makes the runner of a model that is split over several processes.

    Raises ModelNotFoundError, WeightsError, CheckpointError, ConfigError or
    MissingDependencyError.
    """
    config = _config(model, options)
    source = model if isinstance(model, ModelSource) else open_model_or_run(config.model)
    quantization = _choose_quantization(config, source.spec, device)
    limit = _requested_length(config, source.spec)
    limits = Limits(config.max_running, config.max_batch_tokens)
    workers: RemoteRunner | None = None
    if config.topology.world_size > 1:
        workers = _workers(config, model, source.spec, runner_factory, limit)
    runner = workers or _runner(config, source, quantization, device, limit)
    engine = Engine(
        runner,
        source.tokenizer,
        vocab_size=source.spec.vocab_size,
        max_model_len=min(limit, runner.num_blocks * runner.block_size),
        limits=limits,
    )
    return Loaded(engine, source, config, workers)


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
    if config.topology.world_size > 1:
        return ConfigError(
            f"int8 and int4 weights run in one process, not with {_split(config)}; "
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
    kv_bits: KvBits = 8 if config.kv_cache_dtype == "int8" else 16
    return PackedRunner(
        source,
        weight_bits=8 if quantization == "int8" else 4,
        num_blocks=_num_blocks(config, PackedRunner.token_bytes(source.spec, kv_bits), limit),
        block_size=config.block_size,
        threads=threads,
        kv_bits=kv_bits,
    )


def _workers(
    config: ServeConfig,
    model: Model,
    spec: ModelSpec,
    runner_factory: RunnerFactory | None,
    limit: int,
) -> RemoteRunner:
    if runner_factory is None:
        raise ConfigError(
            f"{_split(config)} need worker processes; give "
            "runner_factory=raylm.serve.WorkersRunner, or use `raylm up`"
        )
    if isinstance(model, ModelSource):
        raise ConfigError(
            f"with {_split(config)} each worker reads the model itself; give its name or path "
            "instead of an open one"
        )
    return runner_factory(config, spec, lambda token_bytes: _num_blocks(config, token_bytes, limit))


def _split(config: ServeConfig) -> str:
    return (
        f"tensor_parallel {config.tensor_parallel} and pipeline_parallel {config.pipeline_parallel}"
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
