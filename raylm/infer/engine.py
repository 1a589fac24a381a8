"""The engine: schedule, run, sample, update."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from torch import Tensor

from raylm.core.errors import RequestError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.data.tokenizer import Tokenizer
from raylm.infer.pooling import Pooling
from raylm.infer.runners.batch import Batch, Drawn
from raylm.infer.runners.runner import CacheLostError, Runner
from raylm.infer.sampling.detokenizer import Detokenizer
from raylm.infer.sampling.device_sampler import Draw
from raylm.infer.sampling.outputs import Delta
from raylm.infer.sampling.sampler import Sample, is_plain, reads_output, sample, take
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.request import PLACEHOLDER, Request, RequestState, requests_for
from raylm.infer.scheduling.scheduler import Chunk, Limits, Plan, Scheduler
from raylm.infer.servable import require_embeddable, require_servable
from raylm.infer.speculation.speculator import Speculator
from raylm.infer.step import Step
from raylm.infer.trace import RecordingScheduler


@dataclass(frozen=True, slots=True)
class Stats:
    """`waiting` sequences are queued, `running` ones hold blocks of the KV cache; what no sequence
    holds is free, cached or not. Since the start: sequences that had to give their blocks up,
    tokens that were guessed, and those of them that were then drawn.
    `queue`: how many wait, by priority."""

    waiting: int
    running: int
    free_blocks: int
    total_blocks: int
    preemptions: int = 0
    guessed_tokens: int = 0
    held_tokens: int = 0
    queue: Mapping[int, int] = field(default_factory=dict)


Event = tuple[str, Delta]  # a request's id and what it gained


class Engine:
    """Not thread-safe: one thread submits, steps and aborts. `requests_for` alone may be called
    from any."""

    def __init__(
        self,
        runner: Runner,
        tokenizer: Tokenizer,
        *,
        vocab_size: int,
        max_model_len: int,
        limits: Limits,
        speculator: Speculator | None = None,
        trace_path: Path | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.max_model_len = max_model_len
        self._runner = runner
        self._pooling = Pooling(runner)
        pool = BlockPool(runner.num_blocks, runner.block_size)
        self._scheduler = (
            Scheduler(pool, limits)
            if trace_path is None
            else RecordingScheduler(pool, limits, trace_path)
        )
        self._texts: dict[Request, Detokenizer] = {}
        self._speculator = speculator
        self._lead = 0 if speculator else runner.lead  # a guess follows what was read
        self._under_way: deque[Step] = deque()
        self._at_stake: list[Request] = []

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    @property
    def open_ids(self) -> set[str]:
        return {request.id for request in self._texts}

    @property
    def running_ids(self) -> set[str]:
        """Of all whose tokens a failed step may have lost."""
        unread = [request for request in self._at_stake if request in self._texts]
        return {request.id for request in [*self._scheduler.running, *unread]}

    def stats(self) -> Stats:
        guesses = None if self._speculator is None else self._speculator.policy
        queue = self._scheduler.waiting.lengths()
        return Stats(
            waiting=sum(queue.values()),
            running=len(self._scheduler.running),
            free_blocks=self._scheduler.free_blocks,
            total_blocks=self._scheduler.pool.num_blocks,
            preemptions=self._scheduler.totals.preemptions,
            guessed_tokens=0 if guesses is None else guesses.drafted,
            held_tokens=0 if guesses is None else guesses.accepted,
            queue=queue,
        )

    def running_of(self, user: str) -> int:
        return sum(request.user == user for request in list(self._scheduler.running))

    def running_by_priority(self) -> Counter[int]:
        return Counter(request.priority for request in list(self._scheduler.running))

    def requests_for(
        self,
        request_id: str,
        prompt_ids: Sequence[int],
        params: SamplingParams,
        *,
        user: str = "",
        priority: int = 0,
    ) -> list[Request]:
        """The `n` sequences to submit; raises RequestError for what could never be served."""
        require_servable(
            prompt_ids, params, vocab_size=self.vocab_size, max_model_len=self.max_model_len
        )
        return requests_for(
            request_id,
            prompt_ids,
            params,
            eos_ids=self.tokenizer.stop_ids,
            max_model_len=self.max_model_len,
            user=user,
            priority=priority,
        )

    def pooled_request(
        self, request_id: str, input_ids: Sequence[int], *, user: str = "", priority: int = 0
    ) -> Request:
        """To submit for a vector; its one delta has it. Raises RequestError for what could never
        become one."""
        if not self._runner.has_hidden:
            raise RequestError(
                "a model that is split over several processes makes no embeddings; serve one in "
                "one process",
                param="model",
            )
        require_embeddable(input_ids, vocab_size=self.vocab_size, max_model_len=self.max_model_len)
        return Request(
            id=request_id,
            token_ids=list(input_ids),
            prompt_length=len(input_ids),
            max_length=len(input_ids) + 1,
            params=SamplingParams(),
            seed=0,
            user=user,
            priority=priority,
            pooled=True,
        )

    def submit(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._texts[request] = Detokenizer(self.tokenizer, request.params.stop)
            self._scheduler.submit(request)

    def abort(self, request_id: str) -> None:
        """End every sequence of that id, in whatever state; an unknown id is none."""
        for request in [r for r in self._texts if r.id == request_id]:
            self._finish(request, FinishReason.ABORT)

    def step(self) -> list[Event]:
        """Launch one batch: the next chunk of each prompt, the next token of each answer. Gives
        what the last one that need not be under way any longer has drawn."""
        try:
            return self._step()
        except CacheLostError:  # of a runner that draws at once, so that nothing is under way
            self._scheduler.start_over()
            return []
        except Exception:
            self._give_up_steps()
            raise

    def _step(self) -> list[Event]:
        if self._speculator is not None:
            self._speculator.guess(self._scheduler.running)
        began = perf_counter()
        plan = self._scheduler.schedule()
        drawing, pooling = plan.drawing, plan.pooling
        self._pooling.read(pooling)
        events = self._launch(drawing) if drawing.chunks else []
        events += self._settle(self._lead if drawing.chunks else 0)
        events += self._pooled(pooling)
        if self._speculator is not None:
            self._speculator.time(plan, perf_counter() - began)
        return events if self.has_work else events + self._settle(0)

    def _give_up_steps(self) -> None:
        """What steps have computed that fail after they began is not to be trusted."""
        self._at_stake += [chunk.request for step in self._under_way for chunk in step.chunks]
        self._under_way.clear()
        self._scheduler.forget()

    def _launch(self, plan: Plan) -> list[Event]:
        """And what had to be settled first, for those who look back at their own tokens."""
        chunks = [chunk for chunk in plan.chunks if chunk.samples]
        events = []
        if self._lead:
            last = self._under_way[-1].drawn if self._under_way else None
            logits_RV = self._runner.forward(Batch.of(plan, last))
            if any(reads_output(chunk.request.params) for chunk in chunks):
                events = self._settle(0)
            step = _drawn_ahead(logits_RV, chunks)
        else:
            step = self._drawn(plan, chunks)
        self._under_way.append(step)
        for chunk in plan.chunks:
            chunk.request.computed_length += chunk.length
            if chunk.samples:
                chunk.request.token_ids.append(PLACEHOLDER)
        return events

    def _drawn(self, plan: Plan, chunks: list[Chunk]) -> Step:
        if all(is_plain(chunk.request.params) for chunk in chunks):
            samples = take(self._runner.likeliest(Batch.of(plan)))
        else:
            logits_RV = self._runner.forward(Batch.of(plan))
            samples = sample(logits_RV, [place for chunk in chunks for place in chunk.places])
        return Step(chunks, _starts(chunks), lambda: samples)

    def _settle(self, most: int) -> list[Event]:
        """Read what the oldest steps have drawn, until at most so many are under way."""
        events = []
        while len(self._under_way) > most:
            step = self._under_way.popleft()
            self._at_stake = [chunk.request for chunk in step.chunks]
            for chunk, start, samples in step.results():
                if chunk.request.state is not RequestState.FINISHED:
                    events += self._take(chunk, start, samples)
            self._at_stake = []
        return events

    def _pooled(self, plan: Plan) -> list[Event]:
        """Vectors of the prompts that this step has read to their ends."""
        events = []
        for request, _, length, *_ in plan.chunks:
            request.computed_length += length
            if not request.remaining_length:
                events.append((request.id, self._embedded(request)))
                self._finish(request, FinishReason.STOP)
        return events

    def _embedded(self, request: Request) -> Delta:
        return Delta(
            text="",
            token_ids=(),
            logprobs=None,
            finish_reason=FinishReason.STOP,
            prompt_tokens=request.prompt_length,
            cached_tokens=0,
            embedding=self._pooling.vector(request),
        )

    def _take(self, chunk: Chunk, start: int, samples: list[Sample]) -> list[Event]:
        """The token that was due, and those after it whose guesses have held."""
        request, events = chunk.request, []
        if self._speculator is not None:
            self._speculator.learn(request, len(chunk.guesses), len(samples) - 1)
        for ahead, drawn in enumerate(samples):
            if ahead:
                request.computed_length += 1
                request.token_ids.append(PLACEHOLDER)
            events.append((request.id, self._extend(request, start + ahead, drawn)))
            if events[-1][1].finish_reason is not None:
                break
        return events

    def _extend(self, request: Request, place: int, drawn: Sample) -> Delta:
        """Put the token in its place, and finish the request if that was its last."""
        request.token_ids[place] = drawn.token_id
        reason = request.reason_to_finish(place)
        texts = self._texts[request]
        text = "" if reason is FinishReason.STOP else texts.push(drawn.token_id)
        if texts.stopped:
            reason = FinishReason.STOP
        if reason is not None:
            text += texts.flush()
            self._finish(request, reason)
        return Delta(
            text=text,
            token_ids=(drawn.token_id,),
            logprobs=None if drawn.logprob is None else (drawn.logprob,),
            finish_reason=reason,
            prompt_tokens=request.prompt_length,
            cached_tokens=request.cached_length,
            index=request.index,
        )

    def _finish(self, request: Request, reason: FinishReason) -> None:
        self._scheduler.finish(request, reason)
        del self._texts[request]
        self._pooling.forget(request)
        if self._speculator is not None:
            self._speculator.forget(request)


def _drawn_ahead(logits_RV: Tensor, chunks: list[Chunk]) -> Step:
    if not chunks:
        return Step((), (), list)
    requests = [chunk.request for chunk in chunks]
    draw = Draw(logits_RV, requests)
    rows = {request: row for row, request in enumerate(requests)}
    return Step(chunks, _starts(chunks), draw.samples, Drawn(draw.ids_R, rows))


def _starts(chunks: Sequence[Chunk]) -> list[int]:
    return [len(chunk.request.token_ids) for chunk in chunks]
