"""The engine: schedule, run, sample, update."""

from collections.abc import Sequence
from dataclasses import dataclass

from raylm.core.errors import PromptTooLongError, RequestError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.data.tokenizer import Tokenizer
from raylm.infer.batch import Batch
from raylm.infer.block_pool import BlockPool
from raylm.infer.detokenizer import Detokenizer
from raylm.infer.outputs import Delta
from raylm.infer.request import Request, requests_for
from raylm.infer.runner import Runner
from raylm.infer.sampler import Sample, sample
from raylm.infer.scheduler import Limits, Scheduler

_MOST_BIAS = 100  # OpenAI's limits; enough to force or ban a token


@dataclass(frozen=True, slots=True)
class Stats:
    """`waiting` sequences are queued, `running` ones hold blocks of the KV cache."""

    waiting: int
    running: int
    free_blocks: int
    total_blocks: int


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
    ) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.max_model_len = max_model_len
        self._runner = runner
        self._scheduler = Scheduler(BlockPool(runner.num_blocks, runner.block_size), limits)
        self._texts: dict[Request, Detokenizer] = {}

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    @property
    def open_ids(self) -> set[str]:
        return {request.id for request in self._texts}

    @property
    def running_ids(self) -> set[str]:
        return {request.id for request in self._scheduler.running}

    def stats(self) -> Stats:
        pool = self._scheduler.pool
        return Stats(
            waiting=len(self._scheduler.waiting),
            running=len(self._scheduler.running),
            free_blocks=pool.free_blocks,
            total_blocks=pool.num_blocks,
        )

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
        if not prompt_ids:
            raise RequestError("the prompt is empty; give at least one token", param="prompt")
        if len(prompt_ids) >= self.max_model_len:  # no room for an answer
            raise PromptTooLongError(len(prompt_ids), self.max_model_len)
        self._require_known("prompt", prompt_ids)
        self._require_known("logit_bias", tuple(params.logit_bias))
        for token, bias in params.logit_bias.items():
            if not -_MOST_BIAS <= bias <= _MOST_BIAS:  # as NaN is not
                raise RequestError(
                    f"logit_bias of token {token} is {bias}; it must lie in "
                    f"[-{_MOST_BIAS}, {_MOST_BIAS}]",
                    param="logit_bias",
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

    def submit(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._texts[request] = Detokenizer(self.tokenizer, request.params.stop)
            self._scheduler.submit(request)

    def abort(self, request_id: str) -> None:
        """End every sequence of that id, in whatever state; an unknown id is none."""
        for request in [r for r in self._texts if r.id == request_id]:
            self._finish(request, FinishReason.ABORT)

    def step(self) -> list[tuple[str, Delta]]:
        """Run one batch: the next chunk of each prompt, the next token of each answer."""
        plan = self._scheduler.schedule()
        if not plan.chunks:
            return []
        logits_RV = self._runner.forward(Batch.of(plan))
        samples = sample(logits_RV, plan.sampled)
        for chunk in plan.chunks:
            chunk.request.computed_length += chunk.length
        return [
            (request.id, self._extend(request, drawn))
            for request, drawn in zip(plan.sampled, samples, strict=True)
        ]

    def _extend(self, request: Request, drawn: Sample) -> Delta:
        """Append the token, and finish the request if that was its last."""
        request.token_ids.append(drawn.token_id)
        reason = request.reason_to_finish()
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

    def _require_known(self, name: str, tokens: Sequence[int]) -> None:
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.vocab_size:
            token = next(token for token in tokens if not 0 <= token < self.vocab_size)
            raise RequestError(
                f"{name} names token {token}; the vocabulary has {self.vocab_size}", param=name
            )
