"""RayLM: train, align and serve language models as Ray actors.

The public names load on first use (PEP 562), so that a light process such as the chat
gateway can import `raylm.core` without paying for torch or Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from raylm.core.garbage import uncollected

if TYPE_CHECKING:
    from raylm.core.sampling import SamplingParams
    from raylm.core.schema import Elastic, ServeConfig, TrainConfig
    from raylm.infer.async_engine import AsyncLLM
    from raylm.infer.llm import LLM
    from raylm.runtime.group import WorkerGroup
    from raylm.runtime.worker import Worker
    from raylm.train.engine import Engine
    from raylm.train.initialize import initialize
    from raylm.train.recipes import fit

_HOMES = {
    "LLM": "raylm.infer.llm",
    "AsyncLLM": "raylm.infer.async_engine",
    "SamplingParams": "raylm.core.sampling",
    "Elastic": "raylm.core.schema",
    "ServeConfig": "raylm.core.schema",
    "TrainConfig": "raylm.core.schema",
    "Worker": "raylm.runtime.worker",
    "WorkerGroup": "raylm.runtime.group",
    "Engine": "raylm.train.engine",
    "fit": "raylm.train.recipes",
    "initialize": "raylm.train.initialize",
}

__all__ = [
    "LLM",
    "AsyncLLM",
    "Elastic",
    "Engine",
    "SamplingParams",
    "ServeConfig",
    "TrainConfig",
    "Worker",
    "WorkerGroup",
    "fit",
    "initialize",
]


def __getattr__(name: str) -> Any:
    if name == "serve":  # raylm.serve.build_app(config), with no import of its own
        return import_module("raylm.serve")
    if name not in _HOMES:
        raise AttributeError(f"module 'raylm' has no attribute {name!r}")
    with uncollected():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
