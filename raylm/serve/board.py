"""Which models are to be served: what admins have asked for, known to every replica."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from raylm.core.schema import ModelConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """A model as it was asked for. `version` tells new weights under an old path apart."""

    config: ModelConfig
    version: str = field(default_factory=lambda: uuid.uuid4().hex)


class Board(Protocol):
    """May be slow: it is asked in threads. None stands for a model that was taken off."""

    def read(self) -> Mapping[str, Entry | None]: ...

    def write(self, id: str, entry: Entry | None, *, replace: bool = True) -> None:
        """`replace=False` leaves what has been written before."""
        ...


class LocalBoard:
    """Of an app that has no other replica."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry | None] = {}

    def read(self) -> Mapping[str, Entry | None]:
        return dict(self._entries)

    def write(self, id: str, entry: Entry | None, *, replace: bool = True) -> None:
        if replace or id not in self._entries:
            self._entries[id] = entry
