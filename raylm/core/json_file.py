"""Small JSON files that come with a model."""

import json
from pathlib import Path
from typing import Any

from raylm.core.errors import WeightsError


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in `path`; raises WeightsError naming the file and what is wrong with it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: holds a JSON {type(value).__name__}, not an object")
    return value


def write_json_object(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
