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
    """`epoch`: the last that was begun. `taken`: actor name -> its place; `free`: places in which
    nobody is."""

    epoch: int
    target: int
    taken: Mapping[str, str]
    free: tuple[str, ...] = ()


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
        return Record(**fields | {"free": tuple(fields["free"])})

    def write(self, record: Record) -> None:
        if record != self._written:
            self._written = record
            text = orjson.dumps(asdict(record))
            _internal_kv_put(self._key, text, overwrite=True, namespace=_NAMESPACE)

    def erase(self) -> None:
        _internal_kv_del(self._key, namespace=_NAMESPACE)
