"""The engine behind OpenAI's HTTP API, alone (`create_app`) or under Ray Serve (`build_app`).

The names load on first use, so that the HTTP server under uvicorn does not pay for Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raylm.serve.app import build_app
    from raylm.serve.openai import create_app
    from raylm.serve.workers import WorkersRunner

_HOMES = {
    "WorkersRunner": "raylm.serve.workers",
    "build_app": "raylm.serve.app",
    "create_app": "raylm.serve.openai",
}

__all__ = ["WorkersRunner", "build_app", "create_app"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'raylm.serve' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
