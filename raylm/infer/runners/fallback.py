"""A runner whose kernels may fail while they run: another one then takes over, for good."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import CacheLostError, Runner
from raylm.infer.sampling.likeliest import Likeliest

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
# A batch that is wrong, or for which there is no memory, says nothing about the kernels.
_NO_FAILURE = (ValueError, MemoryError, torch.OutOfMemoryError)


class FallbackRunner:
    """`runner` is the one at work; `make_other` makes another with a cache of the same size.
    Whoever has a batch under way when it takes over gets CacheLostError, and the failure is told
    once, in the log."""

    lead = 0
    has_hidden = True

    def __init__(self, runner: Runner, make_other: Callable[[], Runner]) -> None:
        self.num_blocks, self.block_size = runner.num_blocks, runner.block_size
        self.runner = runner
        self._make_other: Callable[[], Runner] | None = make_other

    def forward(self, batch: Batch) -> Tensor:
        return self._run(lambda runner: runner.forward(batch))

    def likeliest(self, batch: Batch) -> Likeliest:
        return self._run(lambda runner: runner.likeliest(batch))

    def hidden(self, batch: Batch) -> Tensor:
        return self._run(lambda runner: runner.hidden(batch))

    def _run(self, work: Callable[[Runner], _Result]) -> _Result:
        try:
            return work(self.runner)
        except _NO_FAILURE:
            raise
        except Exception as error:
            if self._make_other is None:
                raise
            self.runner, self._make_other = self._make_other(), None
            name = type(self.runner).__name__
            log.warning("a kernel failed while it ran (%s); %s goes on from here", error, name)
            raise CacheLostError(f"the cache went with a kernel that failed: {error}") from error
