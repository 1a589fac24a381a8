"""From a model's name and a ServeConfig to an engine ready to step."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import ConfigError
from raylm.core.garbage import uncollected
from raylm.core.schema import ServeConfig
from raylm.infer.engine import Engine
from raylm.infer.runners.local import (
    choose_quantization,
    local_runner,
    num_blocks_for,
    split_of,
)
from raylm.infer.runners.runner import Runner
from raylm.infer.scheduling.scheduler import Limits
from raylm.infer.speculation.draft_model import DraftModel
from raylm.infer.speculation.drafter import Drafter, NgramDrafter
from raylm.infer.speculation.speculator import Speculator
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec


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
    with uncollected():
        return _load(config, model, device, runner_factory)


def _load(
    config: ServeConfig, model: Model, device: str, runner_factory: RunnerFactory | None
) -> Loaded:
    source = model if isinstance(model, ModelSource) else open_model_or_run(config.model)
    limit = _requested_length(config, source.spec)
    limits = Limits(config.max_running, config.max_batch_tokens, config.prefix_cache)
    speculator = _speculator(config, source, device, limit)
    workers: RemoteRunner | None = None  # last: an error would leave them behind
    if config.topology.world_size > 1:
        workers = _workers(config, model, source.spec, runner_factory, limit)
    runner = workers or local_runner(config, source, device, limit)
    engine = Engine(
        runner,
        source.tokenizer,
        vocab_size=source.spec.vocab_size,
        max_model_len=min(limit, runner.num_blocks * runner.block_size),
        limits=limits,
        speculator=speculator,
        trace_path=_trace_path(config),
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


def _requested_length(config: ServeConfig, spec: ModelSpec) -> int:
    asked = config.max_model_len
    if asked is not None and asked > spec.max_positions:
        raise ConfigError(
            f"max_model_len {asked} is more than the model's context of {spec.max_positions}; "
            "lower it"
        )
    return asked or spec.max_positions


def _speculator(
    config: ServeConfig, source: ModelSource, device: str, limit: int
) -> Speculator | None:
    drafter: Drafter
    match config.speculation:
        case "none":
            return None
        case "ngram":
            drafter = NgramDrafter()
        case "draft":
            drafter = _draft_model(config, source, device, limit)
    return Speculator(drafter, config.draft_tokens)


def _draft_model(config: ServeConfig, source: ModelSource, device: str, limit: int) -> DraftModel:
    if config.draft_model is None:
        raise ConfigError("speculation draft needs a model that guesses; give draft_model")
    draft = open_model_or_run(config.draft_model)
    if draft.tokenizer.backend.get_vocab() != source.tokenizer.backend.get_vocab():
        raise ConfigError(
            f"draft_model {config.draft_model} has another vocabulary than {source.name}; choose "
            "one with the same tokenizer, or speculation ngram"
        )
    if draft.spec.max_positions < limit:
        raise ConfigError(
            f"draft_model {config.draft_model} has a context of {draft.spec.max_positions}, less "
            f"than {limit}; lower max_model_len"
        )
    return DraftModel(local_runner(config, draft, device, limit), config.max_batch_tokens)


def _trace_path(config: ServeConfig) -> Path | None:
    if config.trace_path is None:
        return None
    return Path(str(config.trace_path).replace("{pid}", str(os.getpid()))).expanduser()


def _workers(
    config: ServeConfig,
    model: Model,
    spec: ModelSpec,
    runner_factory: RunnerFactory | None,
    limit: int,
) -> RemoteRunner:
    choose_quantization(config, spec)  # which must be none
    if runner_factory is None:
        raise ConfigError(
            f"{split_of(config)} need worker processes; give "
            "runner_factory=raylm.serve.WorkersRunner, or use `raylm up`"
        )
    if isinstance(model, ModelSource):
        raise ConfigError(
            f"with {split_of(config)} each worker reads the model itself; give its name or path "
            "instead of an open one"
        )
    return runner_factory(
        config, spec, lambda token_bytes: num_blocks_for(config, token_bytes, limit)
    )
