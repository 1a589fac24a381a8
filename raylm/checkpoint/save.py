"""Writing a checkpoint so that a kill at any instant leaves the previous one intact.

Everything goes into a draft folder, is flushed to the disk, and only then renamed to its
final name; `latest` moves last and always points to a whole checkpoint. What a kill leaves
behind is removed by the next save.
"""

import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from raylm.checkpoint.durable_file import flush
from raylm.checkpoint.manifest import MANIFEST, FileRecord, Manifest, describe_files
from raylm.checkpoint.retention import expired
from raylm.checkpoint.shard_file import read_record, shard_name
from raylm.checkpoint.shard_index import ShardIndex
from raylm.checkpoint.tensor_record import TensorRecord

LATEST = "latest"
_PREFIX = "step-"
_DRAFT = ".draft-"
_TRASH = ".trash-"
_REPLACED = ".replaced-"


def folder_name(step: int) -> str:
    return f"{_PREFIX}{step:08d}"


def begin(root: Path, name: str | int) -> Path:
    """An empty draft folder of the checkpoint `name`, or of a step; other drafts are removed.

    Of many ranks, one calls this, and `commit` when all have written into the draft. Ranks of an
    earlier group, if any are left, find that theirs is gone: no name is used twice.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    final = name if isinstance(name, str) else folder_name(name)
    draft = root / f"{_DRAFT}{final}-{secrets.token_hex(4)}"
    draft.mkdir()
    return draft


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)


def commit(
    draft: Path,
    *,
    step: int,
    samples: int,
    world_size: int,
    config: Mapping[str, Any],
    tensors: Mapping[str, TensorRecord] | None = None,
    name: str | None = None,
) -> Path:
    """Make a draft that every rank has filled the newest checkpoint; its final folder, called
    `name` or by its step.

    With `tensors`, by KIND/NAME, these are whole in the shards of the ranks. Raises
    CheckpointError naming a shard that is missing or wrong, or OSError, and discards the draft.
    """
    try:
        shards: dict[str, FileRecord] = {}
        if tensors is not None:
            shards = {
                shard_name(rank, world_size): read_record(draft, rank, world_size)
                for rank in range(world_size)
            }
            ShardIndex(draft, world_size, tensors)
        manifest = Manifest(
            step=step,
            samples=samples,
            world_size=world_size,
            config=dict(config),
            files=describe_files(draft, shards),
            tensors=dict(tensors or {}),
        )
        (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for path in draft.iterdir():
            flush(path)
        flush(draft)
    except BaseException:
        discard(draft)
        raise
    return _publish(draft, name or folder_name(step))


def discard(draft: Path) -> None:
    """Remove a draft that will not be committed; a rank that still writes into it gets OSError."""
    trash = draft.with_name(_TRASH + draft.name)
    with suppress(FileNotFoundError):
        draft.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def prune(
    root: Path, keep_last: int, keep_best: int = 0, losses: Mapping[int, float] | None = None
) -> None:
    """Delete what retention no longer keeps; each vanishes by a rename first, never by halves.

    A save may be under way and sweep the same: what neither could delete, the next one does.
    While it replaces a checkpoint `latest` is none's, and nothing is deleted.
    """
    steps, latest = saved_steps(root), step_of(root / LATEST)
    if latest is None:
        return
    for step in expired(
        steps, keep_last=keep_last, latest=latest, keep_best=keep_best, losses=losses
    ):
        trash = root / (_TRASH + folder_name(step))
        (root / folder_name(step)).rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def saved_steps(root: Path) -> list[int]:
    folders: Iterable[Path] = root.glob(f"{_PREFIX}*") if root.is_dir() else ()
    steps = (step_of(folder) for folder in folders)
    return sorted(step for step in steps if step is not None)


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint folder's name, following `latest`."""
    digits = folder.resolve().name.removeprefix(_PREFIX)
    return int(digits) if digits.isdecimal() else None


def _publish(draft: Path, name: str) -> Path:
    root, final = draft.parent, draft.parent / name
    if final.exists():  # saved before, then resumed from an older one
        replaced = root / (_REPLACED + final.name)
        _point_latest(root, draft.name)
        shutil.rmtree(replaced, ignore_errors=True)
        final.rename(replaced)
        _point_latest(root, replaced.name)
    draft.rename(final)
    flush(root)
    _point_latest(root, final.name)
    _sweep(root)
    return final


def _sweep(root: Path) -> None:
    """Remove what is no checkpoint, but for what a kill left `latest` pointing to."""
    latest = (root / LATEST).resolve()
    for prefix in (_DRAFT, _TRASH, _REPLACED):
        for leftover in root.glob(f"{prefix}*"):
            if leftover.is_symlink():
                leftover.unlink()
            elif leftover.resolve() != latest:
                shutil.rmtree(leftover, ignore_errors=True)


def _point_latest(root: Path, name: str) -> None:
    link = root / (_DRAFT + LATEST)
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(root / LATEST)
    flush(root)
