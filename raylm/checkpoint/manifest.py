"""What a checkpoint folder contains: versioned, checked whole before anything is loaded.

A checkpoint is a Hugging Face folder (model.safetensors, config.json, tokenizer.json) with
optimizer.safetensors, one rng-RANK.safetensors per rank, and this manifest beside them. In a
sharded one (version 2) a shard per rank stands in for model and optimizer.safetensors.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError

from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.config import Config
from raylm.core.errors import CheckpointError

MANIFEST = "manifest.json"
VERSION = 2


class FileRecord(Config):
    size_bytes: int = Field(ge=0)
    sha256: str


class _Version(BaseModel):
    """Read first: a newer version may have fields that are unknown here."""

    version: int = VERSION


class Manifest(Config):
    """`samples` is how many samples the run has consumed: the data loader's whole state.

    `tensors`, by KIND/NAME, are those the shards hold; there are none in an unsharded checkpoint.
    """

    format: Literal["raylm.checkpoint"] = "raylm.checkpoint"
    version: int = VERSION
    step: int = Field(ge=0)
    samples: int = Field(ge=0)
    world_size: int = Field(ge=1)
    saved_at: float = Field(default_factory=time.time, description="Unix seconds")
    config: dict[str, Any] = Field(description="the run's training configuration")
    files: dict[str, FileRecord]
    tensors: dict[str, TensorRecord] = Field({})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises CheckpointError for a folder that is no checkpoint, or one of a newer RayLM."""
        path = folder / MANIFEST
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise CheckpointError(f"{folder}: not a checkpoint, it has no {MANIFEST}") from None
        try:
            version = _Version.model_validate_json(text).version
            if version > VERSION:
                raise CheckpointError(
                    f"{path}: version {version} is newer than this RayLM's {VERSION}; upgrade"
                )
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole file"
            raise CheckpointError(f"{path}: not a manifest: {place}: {first['msg']}") from None

    def check_files(self, folder: Path, only: Callable[[str], bool] = lambda file: True) -> None:
        """The size of every file, and the content of those named by `only`.

        Raises CheckpointError naming the first file that is missing, cut short or altered.
        """
        for name, record in self.files.items():
            path = folder / name
            if not path.is_file():
                raise CheckpointError(f"{path}: missing from the checkpoint")
            size = path.stat().st_size
            if size != record.size_bytes:
                raise CheckpointError(
                    f"{path}: truncated or altered: {size} bytes, expected {record.size_bytes}"
                )
        for name, record in self.files.items():
            if only(name) and sha256_of(folder / name) != record.sha256:
                raise CheckpointError(
                    f"{folder / name}: corrupt: its content is not what was saved"
                )


def describe_files(folder: Path, known: Mapping[str, FileRecord]) -> dict[str, FileRecord]:
    """Every file of a checkpoint; what is `known` of some is not read from the disk again."""
    return {
        path.name: known.get(path.name) or _describe(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }


def _describe(path: Path) -> FileRecord:
    return FileRecord(size_bytes=path.stat().st_size, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
