"""Which documents are kept for evaluation: a property of the text, not of its place.

The same document falls on the same side in every run and on every machine, and copies of a
document fall on the same side as it does.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from raylm.core.errors import DataError

_HASHES = 2**64


@dataclass(frozen=True, slots=True)
class Holdout:
    """Documents whose 64-bit hash is below `threshold` are held out."""

    threshold: int

    @classmethod
    def choose(cls, documents: Iterable[str], share: float) -> Self:
        """About `share` of the documents, at least one and never all; raises DataError."""
        hashes = {_hash(document) for document in documents}
        if len(hashes) < 2:
            raise DataError(
                f"{len(hashes)} different documents cannot be split into training and held-out "
                "text; data.path must hold at least 2"
            )
        first, *_, last = sorted(hashes)
        return cls(min(max(int(share * _HASHES), first + 1), last))

    def __contains__(self, document: str) -> bool:
        return _hash(document) < self.threshold


def _hash(document: str) -> int:
    return int.from_bytes(hashlib.blake2b(document.encode(), digest_size=8).digest())
