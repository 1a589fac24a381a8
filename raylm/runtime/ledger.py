"""What a controller must know again after its own death, kept by Ray's control store.

It lives as long as the cluster does, as the actors do that it names.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
from ray.experimental.internal_kv import (
    _internal_kv_del,
    _internal_kv_get,
    _internal_kv_put,
)

_NAMESPACE = b"raylm"


@dataclass(frozen=True, slots=True)
class Record:
    """`epoch`: the last that was begun. `places`: actor name -> placement group, bundle; `free`
    are those in which nobody is."""

    epoch: int
    target: int
    places: Mapping[str, tuple[str, int]]
    free: tuple[tuple[str, int], ...] = ()

    @property
    def groups(self) -> set[str]:
        return {group for group, _ in (*self.places.values(), *self.free)}


class Ledger:
    """`name`: the group's."""

    def __init__(self, name: str) -> None:
        self._key = f"group/{name}".encode()
        self._written: Record | None = None

    def read(self) -> Record | None:
        text = _internal_kv_get(self._key, namespace=_NAMESPACE)
        if text is None:
            return None
        fields = orjson.loads(text)
        places = {name: (group, index) for name, (group, index) in fields["places"].items()}
        free = tuple((group, index) for group, index in fields["free"])
        return Record(fields["epoch"], fields["target"], places, free)

    def write(self, record: Record) -> None:
        if record != self._written:
            self._written = record
            text = orjson.dumps(asdict(record))
            _internal_kv_put(self._key, text, overwrite=True, namespace=_NAMESPACE)

    def erase(self) -> None:
        _internal_kv_del(self._key, namespace=_NAMESPACE)
