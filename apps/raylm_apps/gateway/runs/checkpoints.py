"""What a run has saved, as its folder says: the weights are never read here."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from raylm_apps.gateway.runs.folder import CHECKPOINTS, inside

MANIFEST, LATEST = "manifest.json", "latest"
_NAME = re.compile(r"step-\d{1,12}")


@dataclass(frozen=True)
class Checkpoint:
    name: str
    path: Path
    step: int
    saved_at: float
    size_bytes: int
    is_latest: bool


def checkpoints(run: Path) -> list[Checkpoint]:
    """The newest first; one that was not saved whole has no manifest, and is none."""
    folder = inside(run, CHECKPOINTS)
    if folder is None or not folder.is_dir():
        return []
    latest = inside(folder, LATEST)
    names = sorted((path.name for path in folder.iterdir()), reverse=True)
    found = (_checkpoint(folder, name, latest) for name in names if _NAME.fullmatch(name))
    return [checkpoint for checkpoint in found if checkpoint is not None]


def find_checkpoint(run: Path, name: str) -> Checkpoint | None:
    """By its folder's name, or `latest`."""
    wanted = (lambda one: one.is_latest) if name == LATEST else (lambda one: one.name == name)
    return next(filter(wanted, checkpoints(run)), None)


def _checkpoint(folder: Path, name: str, latest: Path | None) -> Checkpoint | None:
    path = inside(folder, name)
    manifest = None if path is None or path.name != name else _manifest(path)
    if path is None or manifest is None:
        return None
    try:
        return Checkpoint(
            name,
            path,
            int(manifest["step"]),
            float(manifest["saved_at"]),
            sum(int(file["size_bytes"]) for file in manifest["files"].values()),
            path == latest,
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _manifest(folder: Path) -> dict[str, Any] | None:
    """None, too, where it is being deleted at this moment."""
    path = inside(folder, MANIFEST)
    try:
        manifest = None if path is None else orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return manifest if isinstance(manifest, dict) else None
