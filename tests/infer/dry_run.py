"""An engine without a model: it runs plans against a memory that knows what lies where."""

from collections import Counter

from raylm.core.sampling import FinishReason, SamplingParams
from raylm.infer.scheduling.prefix_cache import Node
from raylm.infer.scheduling.request import PLACEHOLDER, Request, RequestState, requests_for
from raylm.infer.scheduling.scheduler import Plan, Scheduler

VOCABULARY = 3  # so small that answers begin alike


def make_requests(
    prompt: list[int], output: int, n: int = 1, name: str = "r", user: str = "", priority: int = 0
) -> list[Request]:
    return requests_for(
        name,
        prompt,
        SamplingParams(max_tokens=output, n=n, seed=0),
        eos_ids=frozenset(),
        max_model_len=10_000,
        user=user,
        priority=priority,
    )


class DryRun:
    """`lag=1` runs a step ahead: a token drawn in one step is known after the next one's plan.

    Every slot of the cache holds the tokens its key and value would have been computed from.
    """

    def __init__(self, scheduler: Scheduler, lag: int = 0, stop_id: int | None = None) -> None:
        self.scheduler = scheduler
        self.lag = lag
        self.stop_id = stop_id
        self.memory: dict[tuple[int, int], int] = {}
        self.truth: dict[Request, list[int]] = {}
        self.in_flight: list[tuple[Request, int]] = []
        self.served: Counter[str] = Counter()

    @property
    def unfinished(self) -> list[Request]:
        return [r for r in self.truth if r.state is not RequestState.FINISHED]

    def submit(self, *requests: Request) -> None:
        for request in requests:
            self.truth[request] = list(request.token_ids)
            self.scheduler.submit(request)

    def abort(self, request: Request) -> None:
        self.scheduler.finish(request, FinishReason.ABORT)

    def step(self) -> Plan:
        plan = self.scheduler.schedule()
        known_later = self.in_flight
        self.in_flight = []
        self._run(plan)
        for chunk in plan.chunks:
            request = chunk.request
            request.computed_length += chunk.length
            of_prompt = min(chunk.start + chunk.length, request.prompt_length) - chunk.start
            self.served[request.user] += max(0, of_prompt) + chunk.samples
            if chunk.samples:
                context = tuple(self.truth[request])
                self.truth[request].append(hash((context, request.index)) % VOCABULARY)
                self.in_flight.append((request, len(request.token_ids)))
                request.token_ids.append(PLACEHOLDER)
        if self.lag == 0:
            known_later += self.in_flight
            self.in_flight = []
        for request, place in known_later:
            self._know(request, place)
        return plan

    def run(self, most_steps: int = 5_000) -> None:
        for _ in range(most_steps):
            if not self.scheduler.has_work:
                return
            busy = bool(self.in_flight)
            assert self.step().chunks or busy
        raise AssertionError(f"{len(self.unfinished)} requests starve")

    def _know(self, request: Request, place: int) -> None:
        if request.state is RequestState.FINISHED:
            return
        request.token_ids[place] = self.truth[request][place]
        if request.token_ids[place] == self.stop_id:
            self.scheduler.finish(request, FinishReason.STOP)
        elif place + 1 == request.max_length:
            self.scheduler.finish(request, FinishReason.LENGTH)

    def _run(self, plan: Plan) -> None:
        pool = self.scheduler.pool
        cached = {node.block for node in self.scheduler.cache.nodes()}
        for chunk in plan.chunks:
            for place in range(chunk.start, chunk.start + chunk.length):
                block, offset = self._slot(chunk.request, place)
                assert pool.references(block) == 1, "a shared block is written"
                assert block not in cached, "a cached block is written"
                self.memory[block, offset] = digest(self.truth[chunk.request], place)
        for chunk in plan.chunks:
            for place in range(chunk.start + chunk.length):
                found = self.memory[self._slot(chunk.request, place)]
                assert found == digest(self.truth[chunk.request], place)

    def _slot(self, request: Request, place: int) -> tuple[int, int]:
        size = self.scheduler.pool.block_size
        return request.blocks[place // size], place % size

    def check_accounts(self) -> None:
        """No block leaked, none used twice, and as many idle as the cache says."""
        scheduler, pool = self.scheduler, self.scheduler.pool
        cached = Counter(node.block for node in scheduler.cache.nodes())
        held = Counter(block for request in scheduler.running for block in request.blocks)
        assert all(count == 1 for count in cached.values())
        every = range(pool.num_blocks)
        assert [pool.references(b) for b in every] == [held[b] + cached[b] for b in every]
        assert pool.free_blocks == pool.num_blocks - len(held | cached)
        assert scheduler.free_blocks == pool.num_blocks - len(held)
        assert all(not r.blocks and not r.computed_length for r in scheduler.waiting)
        for request in scheduler.running:
            known = min(request.computed_length, request.known_length) // pool.block_size
            assert all(held[block] == 1 for block in request.blocks[known:])

    def check_tree(self) -> None:
        """Cached blocks hold what the tree says, and whoever holds one holds those above it."""
        for node in self.scheduler.cache.nodes():
            tokens = path(node)
            size = self.scheduler.pool.block_size
            assert PLACEHOLDER not in tokens
            assert len(tokens) == node.depth * size
            for offset in range(size):
                place = (node.depth - 1) * size + offset
                assert self.memory[node.block, offset] == digest(tokens, place)
            assert node.parent is not None
            for request in self.scheduler.running:
                if node.depth > 1 and node.block in request.blocks:
                    assert node.parent.block in request.blocks


def digest(tokens: list[int], place: int) -> int:
    return hash(tuple(tokens[: place + 1]))


def path(node: Node) -> list[int]:
    return [*(path(node.parent) if node.parent else []), *node.key]


def shape(plan: Plan) -> list[tuple[str, int, int, bool]]:
    return [(c.request.id, c.start, c.length, c.samples) for c in plan.chunks]
