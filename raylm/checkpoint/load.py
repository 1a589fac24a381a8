"""Finding, checking and reading checkpoints. Only safetensors and JSON: nothing is executed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from raylm.checkpoint.manifest import MANIFEST, Manifest
from raylm.checkpoint.save import LATEST
from raylm.checkpoint.shard_index import ShardIndex
from raylm.core.errors import CheckpointError

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str, only: Callable[[str], bool] = lambda file: True) -> Self:
        """The checkpoint at `path`, or the latest of a run; checked file by file.

        The content of files is checked where `only` is true of their name: ranks can share
        the work.

        Raises CheckpointError naming the file and what is wrong with it.
        """
        folder = locate(Path(path).expanduser())
        if folder is None:
            raise CheckpointError(f"{path}: neither a checkpoint nor a run that has saved one")
        manifest = Manifest.read(folder)
        manifest.check_files(folder, only)
        return cls(folder, manifest)

    @property
    def run(self) -> Path | None:
        """The run folder around it, None for a checkpoint that was copied elsewhere."""
        root = self.folder.parent
        return root.parent if root.name == CHECKPOINTS else None

    @property
    def is_sharded(self) -> bool:
        return bool(self.manifest.tensors)

    def shards(self) -> ShardIndex:
        """Raises CheckpointError for a shard that is no safetensors file, or an unsharded one."""
        return ShardIndex.open(self.folder)

    def has(self, file: str) -> bool:
        return file in self.manifest.files

    def tensors(self, file: str) -> dict[str, Tensor]:
        if not self.has(file):
            raise CheckpointError(f"{self.folder / file}: missing from the checkpoint")
        try:
            return load_file(self.folder / file)
        except (SafetensorError, OSError) as error:
            message = f"{self.folder / file}: not a safetensors file: {error}"
            raise CheckpointError(message) from None

    @torch.no_grad()
    def restore(self, file: str, targets: Mapping[str, Tensor]) -> None:
        """Copy the file's tensors into `targets`, which must match it name by name."""
        found = self.tensors(file)
        where = self.folder / file
        for name in sorted(targets.keys() ^ found.keys()):
            fault = "is missing" if name in targets else "is not in the model"
            raise CheckpointError(f"{where}: the tensor {name!r} {fault}")
        for name, target in targets.items():
            if found[name].shape != target.shape:
                raise CheckpointError(
                    f"{where}: the tensor {name!r} has the shape {tuple(found[name].shape)}, "
                    f"expected {tuple(target.shape)}"
                )
            target.copy_(found[name])


def locate(path: Path) -> Path | None:
    """The checkpoint folder a path stands for: itself, or the latest of its run."""
    for place in (path, path / LATEST, path / CHECKPOINTS / LATEST):
        if (place / MANIFEST).is_file():
            return place.resolve()
    if path.name.startswith("step-") and path.is_dir():
        return path  # a checkpoint that lost its manifest is reported as such
    return None


def is_run(path: Path) -> bool:
    return (path / CHECKPOINTS).is_dir()
