"""From a ModelConfig to an engine, where memory allows it."""

from typing import Protocol

from raylm.core.errors import OutOfMemoryError
from raylm.core.schema import ModelConfig, ServeConfig
from raylm.serve.memory import available_bytes
from raylm.serve.seam import Engine

# Scales and zero points included; `auto` may become int8 or none.
BYTES_PER_PARAMETER = {"int4": 0.625, "int8": 1.125, "auto": 1.125, "none": 4.0}
BYTES_PER_KEY = 4  # at most


class Loader(Protocol):
    """Both may take long: they are called in threads."""

    def id_of(self, config: ModelConfig) -> str:
        """What clients will call the model. Raises ModelNotFoundError where there is none."""
        ...

    def load(self, config: ModelConfig) -> Engine: ...


class EngineLoader:
    """The engine is imported here alone: who deploys a replica need not load torch."""

    def id_of(self, config: ModelConfig) -> str:
        from raylm.checkpoint.source import open_model_or_run

        return config.name or f"raylm/{open_model_or_run(config.model).name}"

    def load(self, config: ModelConfig) -> Engine:
        """Raises what `raylm.infer.load.load` does, and OutOfMemoryError."""
        import torch

        from raylm.infer.async_engine import AsyncLLM
        from raylm.serve.workers import WorkersRunner

        if config.topology.world_size == 1:  # workers have memory of their own
            require_room(config)
        try:
            return AsyncLLM(ServeConfig.load(config.to_dict()), runner_factory=WorkersRunner)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise OutOfMemoryError(f"{config.model!r} does not fit: {error}; {REMEDY}") from error


REMEDY = "unload a model, lower kv_cache_bytes or choose quantization int4"


def require_room(config: ModelConfig) -> None:
    """Before the system runs out of memory and kills whom it likes. Raises OutOfMemoryError."""
    from raylm.checkpoint.source import open_model_or_run

    spec = open_model_or_run(config.model).spec
    weight_bytes = int(spec.num_parameters * BYTES_PER_PARAMETER[config.quantization])
    tokens = (config.max_model_len or spec.max_positions) * config.max_running
    token_bytes = 2 * spec.num_layers * spec.num_kv_heads * spec.head_dim * BYTES_PER_KEY
    needed = weight_bytes + min(config.kv_cache_bytes, tokens * token_bytes)
    available = available_bytes()
    if needed > available:
        raise OutOfMemoryError(
            f"{config.model!r} needs about {needed >> 20} MB; {available >> 20} MB are free; "
            f"{REMEDY}"
        )
