"""From a ModelConfig to an engine, where memory allows it."""

from typing import TYPE_CHECKING, Protocol

from raylm.core.errors import OutOfMemoryError
from raylm.core.schema import ModelConfig, ServeConfig
from raylm.serve.memory import available_bytes
from raylm.serve.seam import Engine

if TYPE_CHECKING:
    from raylm.models.spec import ModelSpec

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
    limit = config.max_model_len or spec.max_positions
    specs = [spec] if config.topology.world_size == 1 else []  # workers have memory of their own
    what = repr(config.model)
    if config.speculation == "draft" and config.draft_model is not None:
        specs.append(open_model_or_run(config.draft_model).spec)
        what += f" with draft_model {config.draft_model!r}"
    needed, available = sum(_bytes(spec, config, limit) for spec in specs), available_bytes()
    if needed > available:
        raise OutOfMemoryError(
            f"{what} needs about {needed >> 20} MB; {available >> 20} MB are free; {REMEDY}"
        )


def _bytes(spec: "ModelSpec", config: ModelConfig, limit: int) -> int:
    """Of weights and cache; a draft model's are made as the model's own are."""
    weight_bytes = int(spec.num_parameters * BYTES_PER_PARAMETER[config.quantization])
    token_bytes = 2 * spec.num_layers * spec.num_kv_heads * spec.head_dim * BYTES_PER_KEY
    return weight_bytes + min(config.kv_cache_bytes, limit * config.max_running * token_bytes)
