"""Reading a ds_config.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raylm.core.errors import ConfigError
from raylm.train.deepspeed.translation import Translation, translate


def load_deepspeed(source: str | Path | Mapping[str, Any], world_size: int) -> Translation:
    """`translate` for a JSON file or a mapping.

    Raises ConfigError naming the file and its fault: missing, not JSON, a key given twice, or
    whatever `translate` refuses.
    """
    if isinstance(source, Mapping):
        return translate(source, world_size)
    path = Path(source)
    try:
        return translate(_read_json(path), world_size)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_duplicates)
    except FileNotFoundError:
        raise ConfigError("no such DeepSpeed config") from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid JSON: {error}") from None
    if not isinstance(tree, Mapping):
        raise ConfigError(f"a ds_config is a JSON object, this is a {type(tree).__name__}")
    return tree


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON's last value would win silently, which nobody means."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ConfigError(f"key {key!r} is given twice; keep one")
        found[key] = value
    return found
