"""Token packing: documents one after another in one stream, cut into sequences of equal length.

Each document ends with the end-of-text token. Sequence i reads tokens [i T, i T + T) and
predicts [i T + 1, i T + T + 1), so that every token but the stream's first is predicted
exactly once. The last sequence is filled up with positions that count for nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IGNORED = -100  # what cross_entropy leaves out by default


@dataclass(frozen=True, slots=True)
class Packing:
    """`tokens` in the stream, cut into sequences of `length`."""

    tokens: int
    length: int

    @property
    def targets(self) -> int:
        """Predictions in one pass."""
        return max(0, self.tokens - 1)

    @property
    def sequences(self) -> int:
        return -(-self.targets // self.length)

    def span(self, sequence: int) -> range:
        """The stream positions sequence number `sequence` reads."""
        if not 0 <= sequence < self.sequences:
            raise IndexError(f"sequence {sequence} of {self.sequences}")
        start = sequence * self.length
        return range(start, min(start + self.length, self.targets))

    def blank(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """A sequence that counts for nothing."""
        return np.zeros(self.length, np.int64), np.full(self.length, IGNORED, np.int64)

    def cut(
        self, stream: npt.NDArray[np.integer], sequence: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Inputs and targets of one sequence, each of `length`."""
        span = self.span(sequence)
        inputs, targets = self.blank()
        inputs[: len(span)] = stream[span.start : span.stop]
        targets[: len(span)] = stream[span.start + 1 : span.stop + 1]
        return inputs, targets


def concatenate(documents: Iterable[list[int]], end: int | None) -> Iterator[list[int]]:
    """Each document with its end-of-text token, where the vocabulary has one."""
    tail = [] if end is None else [end]
    for document in documents:
        yield document + tail
