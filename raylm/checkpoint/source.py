"""Opening what was trained here just like any other model."""

from dataclasses import replace
from pathlib import Path

from raylm.checkpoint.load import Checkpoint, is_run, locate
from raylm.checkpoint.sharded_weights import ShardedWeights
from raylm.models.source import ModelSource, open_folder, open_model


def open_model_or_run(name_or_path: str | Path) -> ModelSource:
    """A run (its latest checkpoint), a checkpoint, or anything `open_model` takes.

    Raises CheckpointError for a run without a whole checkpoint, and what `open_model` raises.
    """
    path = Path(name_or_path).expanduser()
    if locate(path) is None and not is_run(path):
        return open_model(name_or_path)
    checkpoint = Checkpoint.open(path)
    weights = ShardedWeights(checkpoint.shards()) if checkpoint.is_sharded else None
    return replace(open_folder(checkpoint.folder, weights), name=_name(checkpoint, path))


def _name(checkpoint: Checkpoint, asked: Path) -> str:
    """A run is known by its folder; one of its checkpoints also by its step."""
    if checkpoint.run is None:
        return checkpoint.folder.name
    if is_run(asked):
        return checkpoint.run.name
    return f"{checkpoint.run.name}-{checkpoint.folder.name}"
