"""Writing a checkpoint so that a kill at any instant leaves the previous one intact.

Everything goes into a draft folder, is flushed to the disk, and only then renamed to its
final name; `latest` moves last. A draft left by a kill is removed by the next save.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from raylm.checkpoint.manifest import MANIFEST, Manifest, describe_files
from raylm.checkpoint.retention import expired

LATEST = "latest"
_PREFIX = "step-"
_DRAFT = ".draft-"
_TRASH = ".trash-"


def folder_name(step: int) -> str:
    return f"{_PREFIX}{step:08d}"


def begin(root: Path, step: int) -> Path:
    """An empty draft folder beside the checkpoints; drafts of killed runs are removed."""
    root.mkdir(parents=True, exist_ok=True)
    for leftover in (*root.glob(f"{_DRAFT}*"), *root.glob(f"{_TRASH}*")):
        shutil.rmtree(leftover)
    draft = root / (_DRAFT + folder_name(step))
    draft.mkdir()
    return draft


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)


def commit(
    draft: Path, *, step: int, samples: int, world_size: int, config: Mapping[str, Any]
) -> Path:
    """Make a draft that every rank has filled the newest checkpoint; its final folder."""
    manifest = Manifest(
        step=step,
        samples=samples,
        world_size=world_size,
        config=dict(config),
        files=dict(describe_files(draft)),
    )
    (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for path in draft.iterdir():
        _flush(path)
    _flush(draft)
    root, final = draft.parent, draft.parent / folder_name(step)
    if final.exists():  # saved before, then resumed from an older one
        final.rename(root / (_TRASH + final.name))
    draft.rename(final)
    _flush(root)
    _point_latest(root, final.name)
    return final


def prune(root: Path, keep_last: int) -> None:
    """Delete what retention no longer keeps; each vanishes by a rename first, never by halves."""
    latest = step_of(root / LATEST)
    for step in expired(saved_steps(root), keep_last=keep_last, latest=latest):
        trash = root / (_TRASH + folder_name(step))
        (root / folder_name(step)).rename(trash)
        shutil.rmtree(trash)


def saved_steps(root: Path) -> list[int]:
    folders: Iterable[Path] = root.glob(f"{_PREFIX}*") if root.is_dir() else ()
    steps = (step_of(folder) for folder in folders)
    return sorted(step for step in steps if step is not None)


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint folder's name, following `latest`."""
    digits = folder.resolve().name.removeprefix(_PREFIX)
    return int(digits) if digits.isdecimal() else None


def _point_latest(root: Path, name: str) -> None:
    link = root / (_DRAFT + LATEST)
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(root / LATEST)
    _flush(root)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
