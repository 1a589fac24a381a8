"""Who guesses the next tokens of a request, so that one step may confirm several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from raylm.infer.scheduling.request import Request


class Drafter(Protocol):
    def propose(self, wanted: Mapping[Request, int]) -> dict[Request, list[int]]:
        """At most so many guesses for each request that decodes; fewer, or none, are fine."""
        ...

    def forget(self, request: Request) -> None:
        """It has ended, or will begin again."""
        ...


@dataclass(slots=True)
class _Index:
    """Where each run of `size` tokens has last ended within the first `length` tokens, and where
    it had ended before."""

    size: int
    length: int = 0
    last: dict[tuple[int, ...], int] = field(default_factory=dict)
    before: dict[tuple[int, ...], int] = field(default_factory=dict)

    def extend(self, tokens: Sequence[int]) -> None:
        for end in range(max(self.length, self.size - 1) + 1, len(tokens) + 1):
            run = tuple(tokens[end - self.size : end])
            if run in self.last:
                self.before[run] = self.last[run]
            self.last[run] = end
        self.length = len(tokens)

    def earlier(self, tokens: Sequence[int]) -> int | None:
        """Where the run that ends `tokens` has ended earlier."""
        return self.before.get(tuple(tokens[-self.size :]))


class NgramDrafter:
    """What followed the last few tokens when they were last said (prompt lookup, Saxena 2023).

    Free of charge, and right where an answer quotes: code, summaries, tables.
    """

    def __init__(self, longest: int = 4, shortest: int = 2) -> None:
        self._sizes = range(longest, shortest - 1, -1)
        self._indices: dict[Request, list[_Index]] = {}

    def propose(self, wanted: Mapping[Request, int]) -> dict[Request, list[int]]:
        return {request: self._continuation(request, most) for request, most in wanted.items()}

    def forget(self, request: Request) -> None:
        self._indices.pop(request, None)

    def _continuation(self, request: Request, most: int) -> list[int]:
        tokens = request.token_ids
        if request not in self._indices:
            self._indices[request] = [_Index(size) for size in self._sizes]
        for index in self._indices[request]:
            index.extend(tokens)
        for index in self._indices[request]:
            end = index.earlier(tokens)
            if end is not None:
                return tokens[end : end + most]
        return []
