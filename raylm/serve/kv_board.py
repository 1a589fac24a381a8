"""The board in Ray's control store, where replicas that start later find it too.

One key a model, written whole: two admins at two replicas cannot undo each other's work.
"""

from collections.abc import Mapping

import orjson
from ray.experimental.internal_kv import (
    _internal_kv_get,
    _internal_kv_list,
    _internal_kv_put,
)

from raylm.core.schema import ModelConfig
from raylm.serve.board import Entry

_NAMESPACE = b"raylm"


class KvBoard:
    """`name`: the deployment's; it lives as long as the cluster does."""

    def __init__(self, name: str) -> None:
        self._prefix = f"models/{name}/".encode()

    def read(self) -> Mapping[str, Entry | None]:
        entries = {}
        for key in _internal_kv_list(self._prefix, namespace=_NAMESPACE):
            text = _internal_kv_get(key, namespace=_NAMESPACE)
            entries[key.removeprefix(self._prefix).decode()] = _entry(text)
        return entries

    def write(self, id: str, entry: Entry | None, *, replace: bool = True) -> None:
        fields = entry and {"config": entry.config.to_dict(), "version": entry.version}
        key = self._prefix + id.encode()
        _internal_kv_put(key, orjson.dumps(fields), overwrite=replace, namespace=_NAMESPACE)


def _entry(text: bytes) -> Entry | None:
    fields = orjson.loads(text)
    return fields and Entry(ModelConfig.load(fields["config"]), fields["version"])
