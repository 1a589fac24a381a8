"""A step under way: what was run, and how to come by what it draws."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from raylm.infer.runners.batch import Drawn
from raylm.infer.sampling.sampler import Sample
from raylm.infer.scheduling.scheduler import Chunk


@dataclass(frozen=True, slots=True)
class Step:
    """The chunks that draw, where each one's first token belongs in its request's tokens, and how
    to wait for the samples of all their places."""

    chunks: Sequence[Chunk]
    starts: Sequence[int]
    samples: Callable[[], list[Sample]]
    drawn: Drawn | None = None  # where the next step finds them before they are read

    def results(self) -> Iterator[tuple[Chunk, int, list[Sample]]]:
        """Of each chunk what is certain: a place after a guess counts if the guess was drawn."""
        samples = iter(self.samples())
        for chunk, start in zip(self.chunks, self.starts, strict=True):
            own = list(islice(samples, 1 + len(chunk.guesses)))
            yield chunk, start, own[: 1 + _held(chunk.guesses, own)]


def _held(guesses: Sequence[int], samples: Sequence[Sample]) -> int:
    for count, (guess, sample) in enumerate(zip(guesses, samples, strict=False)):
        if guess != sample.token_id:
            return count
    return len(guesses)
