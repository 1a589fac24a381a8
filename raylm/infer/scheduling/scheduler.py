"""Which tokens run next: continuous batching as a pure decision.

Requests, blocks and limits in; a plan out. No tensors, no clock, no randomness: the same
traffic gives the same plans.
"""

from bisect import bisect, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import NamedTuple

from raylm.core.errors import ConfigError
from raylm.core.sampling import FinishReason
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.fairness import Service
from raylm.infer.scheduling.prefix_cache import Node, PrefixCache
from raylm.infer.scheduling.request import Continued, Request, RequestState
from raylm.infer.scheduling.waiting import WaitingQueue

_RANK, _STANDING = attrgetter("rank"), attrgetter("standing")


@dataclass(frozen=True, slots=True)
class Limits:
    max_running: int
    max_batch_tokens: int
    prefix_cache: bool = True

    def __post_init__(self) -> None:
        if self.max_batch_tokens < self.max_running:
            raise ConfigError(
                f"max_batch_tokens {self.max_batch_tokens} is less than max_running "
                f"{self.max_running}: each running request needs a token per step; raise it"
            )


class Chunk(NamedTuple):
    """The tokens `start` to `start + length` of a request, run in one step."""

    request: Request
    start: int
    length: int
    samples: bool  # reaches the last token, so a new one is drawn
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
    def drawing(self) -> "Plan":
        return Plan(tuple(chunk for chunk in self.chunks if not chunk.request.pooled))

    @property
    def pooling(self) -> "Plan":
        return Plan(tuple(chunk for chunk in self.chunks if chunk.request.pooled))

    @property
    def sampled(self) -> list[Request]:
        return [chunk.request for chunk in self.chunks if chunk.samples]


@dataclass(slots=True)
class Totals:
    """Since the start. Prompts count when they are first let in."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0


class Scheduler:
    """Invariant: `running` is in order of rank, and has the blocks it needs.

    Nobody starves. Whoever waits has a turn (WaitingQueue). Whoever runs yields its blocks to
    higher ranks alone: earlier ones of its priority, or higher priorities, unless it was let in
    on its turn. So one always gets on to its end, in a pool that holds it, and then the next.

    Between two plans the engine adds each chunk's length to its request's `computed_length`, and
    a token, or a PLACEHOLDER for one not known yet, to each one sampled. It may finish a request
    that a step in flight still has: whoever is given its blocks writes to them later.
    """

    def __init__(self, pool: BlockPool, limits: Limits) -> None:
        self.pool = pool
        self.limits = limits
        self.cache = PrefixCache(pool, limits.prefix_cache)
        self.service = Service()
        self.waiting = WaitingQueue(self.service)
        self.running: list[Request] = []
        self.totals = Totals()
        self._arrivals = count()
        self._seniority = count()

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.running)

    @property
    def free_blocks(self) -> int:
        """Those that no request holds, cached or not."""
        return self.cache.free_blocks

    def submit(self, request: Request) -> None:
        request.arrival = next(self._arrivals)
        waiting = self.waiting.users()
        if request.user not in waiting:
            self.service.lift(request.user, waiting or {r.user for r in self.running})
        self.waiting.push(request)

    def schedule(self) -> Plan:
        """Every running request goes on, then newcomers join while tokens and blocks last."""
        self.cache.publish()
        self._keep_running()
        self._let_in()
        return self._share_tokens()

    def finish(self, request: Request, reason: FinishReason) -> None:
        """End a request in any state but FINISHED; its blocks are free at once."""
        if request.state is RequestState.RUNNING:
            self.running.remove(request)
        else:
            self.waiting.remove(request)
        request.state = RequestState.FINISHED
        request.finish_reason = reason
        self.cache.release(request)

    def forget(self) -> None:
        """What is cached is not to be trusted any more; those who run keep what they have."""
        self.cache.clear()

    def start_over(self) -> None:
        """The cache is lost: whoever runs yields its blocks and is computed again."""
        self.cache.clear()
        for request in reversed(list(self.running)):
            self._preempt(request)

    def _keep_running(self) -> None:
        """Blocks for every token of those who run, taken from the lowest in rank."""
        growing = []
        for request in self.running:
            if request.is_complete:
                self.cache.release(request)
            elif self._missing_blocks(request):
                growing.append(request)
        for request in growing:
            if request.blocks:
                self._grow(request)

    def _grow(self, request: Request) -> None:
        while (missing := self._missing_blocks(request)) > self.cache.free_blocks:
            victim = next(other for other in reversed(self.running) if other.blocks)
            self._preempt(victim)
            if victim is request:
                return
        request.blocks += self.cache.allocate(missing)

    def _let_in(self) -> None:
        """Newcomers by turn, until one finds no room: none overtakes it."""
        while (found := self._next()) and self._make_room(*found):
            self._start(*found)

    def _next(self) -> tuple[Request, list[Node]] | None:
        """Whose turn it is, if there is a place for it, and what is cached of it.

        Passed over are those with a token still unknown, and those who share a beginning with
        one that is about to have computed it.
        """
        for request in self.waiting.candidates():
            if request.known_length < len(request.token_ids):
                continue
            if not self._has_place(request):
                return None
            if (nodes := self.cache.match(request)) is not None:
                return request, nodes
        return None

    def _has_place(self, request: Request) -> bool:
        """A place, and tokens of the step's budget, beside those it may not displace."""
        higher = self.running[: self._place(request)]
        if len(higher) >= self.limits.max_running:
            return False
        # The higher may have all they lack; the lower have one token each.
        owed = sum(other.remaining_length for other in higher if other.blocks)
        return owed + len(self.running) - len(higher) < self.limits.max_batch_tokens

    def _make_room(self, request: Request, nodes: Sequence[Node]) -> bool:
        """A place, and blocks for the whole of it, if need be from lower priorities."""
        lower = [other for other in self.running[self._place(request) :] if other.blocks]
        most = sum(len(other.blocks) for other in lower)
        if not self._fits(request, nodes, gone=len(lower), freed=most):
            return False  # nobody is preempted in vain
        while lower and not self._fits(request, nodes):
            self._preempt(lower.pop())
        return self._fits(request, nodes)

    def _place(self, request: Request) -> int:
        """Behind all it may not displace."""
        return bisect(self.running, request.standing, key=_STANDING)

    def _fits(self, request: Request, nodes: Sequence[Node], gone: int = 0, freed: int = 0) -> bool:
        # A free block per running request is left, or the newcomer would soon be preempted again.
        running = len(self.running) - gone
        missing = self.pool.blocks_for(len(request.token_ids)) - len(nodes)
        free = self.cache.free_beside(nodes) + freed
        return running < self.limits.max_running and missing + running <= free

    def _start(self, request: Request, nodes: Sequence[Node]) -> None:
        self.waiting.let_in(request)
        self.cache.take(request, nodes)
        request.blocks += self.cache.allocate(self._missing_blocks(request))
        request.state = RequestState.RUNNING
        if request.seniority is None:
            request.seniority = next(self._seniority)
            request.cached_length = request.computed_length
            self.totals.prompt_tokens += request.prompt_length
            self.totals.cached_tokens += request.cached_length
            self.service.let_in(request.user, request.remaining_length)
        insort(self.running, request, key=_RANK)

    def _share_tokens(self) -> Plan:
        """Each has one token of the budget to itself, so that no prefill stalls a decode; the
        highest in rank share what is spare, for prompts and for guesses."""
        going = [request for request in self.running if request.blocks]
        spare = self.limits.max_batch_tokens - len(going)
        chunks = []
        for request in going:
            remaining = request.remaining_length
            length = min(remaining, 1 + spare)
            spare -= length - 1
            samples = length == remaining and not request.pooled
            guesses = self._tried(request, spare) if samples and request.guesses else ()
            spare -= len(guesses)
            chunks.append(Chunk(request, request.computed_length, length, samples, guesses))
        plan = Plan(tuple(chunks))
        for user, drawn in Counter(request.user for request in plan.sampled).items():
            self.service.charge(user, drawn)
        return plan

    def _tried(self, request: Request, most: int) -> tuple[int, ...]:
        """Guesses take what tokens and blocks are free, and nobody's."""
        known = len(request.token_ids)
        lacking = self.pool.blocks_for(known + len(request.guesses)) - len(request.blocks)
        request.blocks += self.cache.allocate(min(lacking, self.cache.free_blocks))
        room = len(request.blocks) * self.pool.block_size - known
        return tuple(request.guesses[: min(most, room)])

    def _missing_blocks(self, request: Request) -> int:
        return max(0, self.pool.blocks_for(len(request.token_ids)) - len(request.blocks))

    def _preempt(self, request: Request) -> None:
        self.running.remove(request)
        request.state = RequestState.PREEMPTED
        self.cache.release(request)
        self.waiting.push(request)
        self.totals.preemptions += 1
