"""What a checkpoint folder contains: versioned, checked whole before anything is loaded.

A checkpoint is a Hugging Face folder (model.safetensors, config.json, tokenizer.json) with
optimizer.safetensors, one rng-RANK.safetensors per rank, and this manifest beside them.
"""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from raylm.core.config import Config
from raylm.core.errors import CheckpointError

MANIFEST = "manifest.json"
VERSION = 1


class FileRecord(Config):
    size_bytes: int = Field(ge=0)
    sha256: str


class Manifest(Config):
    """`samples` is how many samples the run has consumed: the data loader's whole state."""

    format: Literal["raylm.checkpoint"] = "raylm.checkpoint"
    version: int = VERSION
    step: int = Field(ge=0)
    samples: int = Field(ge=0)
    world_size: int = Field(ge=1)
    saved_at: float = Field(default_factory=time.time, description="Unix seconds")
    config: dict[str, Any] = Field(description="the run's training configuration")
    files: dict[str, FileRecord]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises CheckpointError for a folder that is no checkpoint, or one of a newer RayLM."""
        path = folder / MANIFEST
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise CheckpointError(f"{folder}: not a checkpoint, it has no {MANIFEST}") from None
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole file"
            raise CheckpointError(f"{path}: not a manifest: {place}: {first['msg']}") from None
        if manifest.version > VERSION:
            raise CheckpointError(
                f"{path}: version {manifest.version} is newer than this RayLM's {VERSION}; upgrade"
            )
        return manifest

    def check_files(self, folder: Path) -> None:
        """Raises CheckpointError naming the first file that is missing, cut short or altered."""
        for name, record in self.files.items():
            path = folder / name
            if not path.is_file():
                raise CheckpointError(f"{path}: missing from the checkpoint")
            size = path.stat().st_size
            if size != record.size_bytes:
                raise CheckpointError(
                    f"{path}: truncated or altered: {size} bytes, expected {record.size_bytes}"
                )
            if sha256_of(path) != record.sha256:
                raise CheckpointError(f"{path}: corrupt: its content is not what was saved")


def describe_files(folder: Path) -> Mapping[str, FileRecord]:
    return {
        path.name: FileRecord(size_bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
