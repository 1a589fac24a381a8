"""Where a wheel put its server programs, found without importing it."""

from importlib.util import find_spec
from pathlib import Path

from raylm.core.errors import MissingDependencyError


def wheel_folder(package: str, variable: str) -> Path:
    """`variable` names the store that can be used instead."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            f"{package} is not installed; run pip install 'raylm[chat]', or set {variable}"
        )
    return Path(spec.origin).parent
