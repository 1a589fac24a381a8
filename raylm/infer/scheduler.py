"""Which tokens run next: continuous batching, first come first served, as a pure decision.

Requests, blocks and limits in; a plan out. No tensors, no clock, no randomness: the same
traffic gives the same plans.
"""

from collections import deque
from dataclasses import dataclass, replace

from raylm.core.errors import ConfigError
from raylm.core.sampling import FinishReason
from raylm.infer.block_pool import BlockPool
from raylm.infer.request import Continued, Request, RequestState


@dataclass(frozen=True, slots=True)
class Limits:
    max_running: int
    max_batch_tokens: int

    def __post_init__(self) -> None:
        if self.max_batch_tokens < self.max_running:
            raise ConfigError(
                f"max_batch_tokens {self.max_batch_tokens} is less than max_running "
                f"{self.max_running}: each running request needs a token per step; raise it"
            )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The tokens `start` to `start + length` of a request, run in one step."""

    request: Request
    start: int
    length: int
    samples: bool  # reaches the last known token, so a new one is drawn
    guesses: tuple[int, ...] = ()  # run after it, each with a row of logits of its own

    @property
    def places(self) -> list[Request | Continued]:
        """Where it draws tokens."""
        if not self.samples:
            return []
        tried = (self.guesses[:count] for count in range(1, len(self.guesses) + 1))
        return [self.request, *(Continued(self.request, some) for some in tried)]


@dataclass(frozen=True, slots=True)
class Plan:
    chunks: tuple[Chunk, ...]

    @property
    def num_tokens(self) -> int:
        return sum(chunk.length + len(chunk.guesses) for chunk in self.chunks)

    @property
    def sampled(self) -> list[Request]:
        return [chunk.request for chunk in self.chunks if chunk.samples]


class Scheduler:
    """Invariant: `running` is older than `waiting`, each in order of arrival.

    Hence nobody starves: the oldest request is never preempted for another, and a pool that
    holds one request of any admitted length lets it finish.
    """

    def __init__(self, pool: BlockPool, limits: Limits) -> None:
        self.pool = pool
        self.limits = limits
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    def submit(self, request: Request) -> None:
        self.waiting.append(request)

    def schedule(self) -> Plan:
        """Every running request goes on, then newcomers join while tokens and blocks last.

        Each running request has one token of the budget to itself, so that no prefill stalls a
        decode; the oldest prefills share what is spare.
        """
        spare = self.limits.max_batch_tokens - len(self.running)
        chunks = []
        for request in list(self.running):
            if request.complete or request.state is not RequestState.RUNNING:
                continue
            if self._grow(request):
                chunk = _chunk(request, 1 + spare)
                spare -= chunk.length - 1
                if request.guesses and chunk.samples:
                    chunk = replace(chunk, guesses=self._tried(request, spare))
                    spare -= len(chunk.guesses)
                chunks.append(chunk)
        while spare > 0 and (newcomer := self._admit()):
            chunks.append(_chunk(newcomer, spare))
            spare -= chunks[-1].length
        return Plan(tuple(chunks))

    def finish(self, request: Request, reason: FinishReason) -> None:
        """End a request in any state but FINISHED; its blocks are free at once."""
        if request.state is RequestState.RUNNING:
            self.running.remove(request)
        else:
            self.waiting.remove(request)
        request.state = RequestState.FINISHED
        request.finish_reason = reason
        self._release(request)

    def _grow(self, request: Request) -> bool:
        """Blocks for every known token, taken from the youngest; False if that is `request`."""
        while (missing := self._missing_blocks(request)) > self.pool.free_blocks:
            victim = self.running[-1]
            self._preempt(victim)
            if victim is request:
                return False
        request.blocks += self.pool.allocate(missing)
        return True

    def _tried(self, request: Request, most: int) -> tuple[int, ...]:
        """Guesses take what is free and nobody's blocks."""
        known = len(request.token_ids)
        lacking = self.pool.blocks_for(known + len(request.guesses)) - len(request.blocks)
        request.blocks += self.pool.allocate(min(lacking, self.pool.free_blocks))
        room = len(request.blocks) * self.pool.block_size - known
        return tuple(request.guesses[: min(most, room)])

    def _admit(self) -> Request | None:
        """Let the oldest waiting request in, if there is room for the whole of it."""
        if not self.waiting or len(self.running) >= self.limits.max_running:
            return None
        request = self.waiting[0]
        shared = self._shared_blocks(request)
        if shared is None:
            return None
        missing = self.pool.blocks_for(len(request.token_ids)) - len(shared)
        # A free block per running request is left, or the newcomer would soon be preempted again.
        if missing + len(self.running) > self.pool.free_blocks:
            return None
        self.pool.retain(shared)
        request.blocks = shared + self.pool.allocate(missing)
        request.computed_length = request.cached_length = len(shared) * self.pool.block_size
        request.state = RequestState.RUNNING
        self.running.append(self.waiting.popleft())
        return request

    def _shared_blocks(self, request: Request) -> list[int] | None:
        """The donor's whole blocks of the common prompt; None while it still computes them."""
        donor = request.donor
        if donor is None or donor.state is not RequestState.RUNNING:
            return []
        count = request.shareable_length // self.pool.block_size
        if donor.computed_length < count * self.pool.block_size:
            return None
        return donor.blocks[:count]

    def _missing_blocks(self, request: Request) -> int:
        return self.pool.blocks_for(len(request.token_ids)) - len(request.blocks)

    def _preempt(self, request: Request) -> None:
        self.running.remove(request)
        self.waiting.appendleft(request)
        request.state = RequestState.PREEMPTED
        self._release(request)

    def _release(self, request: Request) -> None:
        self.pool.release(request.blocks)
        request.blocks = []
        request.computed_length = 0


def _chunk(request: Request, most: int) -> Chunk:
    length = min(request.remaining_length, most)
    samples = length == request.remaining_length
    return Chunk(request, request.computed_length, length, samples)
