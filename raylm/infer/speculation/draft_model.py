"""A smaller model that guesses what a larger one will say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import CacheLostError, Runner
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Chunk, Plan


class DraftModel:
    """Its likeliest tokens, all requests together. A request for which its own cache has no room
    is not guessed for.

    It keeps a copy of each request, with blocks of its own: the tokens it has read, guesses
    included, of which those that did not hold are read over.
    """

    def __init__(self, runner: Runner, max_batch_tokens: int) -> None:
        self._runner = runner
        self._pool = BlockPool(runner.num_blocks, runner.block_size)
        self._max_batch_tokens = max_batch_tokens
        self._copies: dict[Request, Request] = {}

    def propose(self, wanted: Mapping[Request, int]) -> dict[Request, list[int]]:
        try:
            return self._propose(wanted)
        except CacheLostError:
            for copy in self._copies.values():
                copy.computed_length = 0
            return {}

    def forget(self, request: Request) -> None:
        if copy := self._copies.pop(request, None):
            self._pool.release(copy.blocks)

    def _propose(self, wanted: Mapping[Request, int]) -> dict[Request, list[int]]:
        copies = {r: self._caught_up(r, most) for r, most in wanted.items()}
        known = {r: len(r.token_ids) for r in wanted}
        going = [(copy, known[r] + wanted[r]) for r, copy in copies.items() if copy is not None]
        while going := [(copy, end) for copy, end in going if len(copy.token_ids) < end]:
            self._extend([copy for copy, _ in going])
        return {
            request: [] if copy is None else copy.token_ids[known[request] :]
            for request, copy in copies.items()
        }

    def _caught_up(self, request: Request, most: int) -> Request | None:
        """Its copy with all of its tokens, and blocks for so many more."""
        copy = self._copies.get(request)
        if copy is None:
            copy = replace(request, token_ids=[], blocks=[], guesses=[], computed_length=0)
            self._copies[request] = copy
        missing = self._pool.blocks_for(len(request.token_ids) + most) - len(copy.blocks)
        if missing > self._pool.free_blocks:
            return None
        copy.blocks += self._pool.allocate(max(missing, 0))
        held = _common_length(copy.token_ids, request.token_ids)
        # At least its last token is read again, for the logits that follow it.
        copy.computed_length = min(copy.computed_length, held, len(request.token_ids) - 1)
        copy.token_ids = list(request.token_ids)
        return copy

    def _extend(self, copies: Sequence[Request]) -> None:
        """By one token each; prompts are read in pieces that a step can hold."""
        pending = list(copies)
        while pending:
            chunks, spare = [], self._max_batch_tokens
            for copy in pending:
                length = min(copy.remaining_length, spare)
                if length:
                    samples = length == copy.remaining_length
                    chunks.append(Chunk(copy, copy.computed_length, length, samples))
                    spare -= length
            plan = Plan(tuple(chunks))
            best_R = self._runner.forward(Batch.of(plan)).argmax(dim=-1).tolist()
            for chunk in chunks:
                chunk.request.computed_length += chunk.length
            for copy, token in zip(plan.sampled, best_R, strict=True):
                copy.token_ids.append(token)
            drawn = set(plan.sampled)
            pending = [copy for copy in pending if copy not in drawn]


def _common_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Of two lists that differ near the end if at all."""
    length = min(len(left), len(right))
    while length and left[:length] != right[:length]:
        length -= 1
    return length
