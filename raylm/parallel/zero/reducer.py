"""When gradients are summed over the ranks: unit by unit while the backward pass still runs.

Collectives must meet in the same order on every rank. The first pass goes by the reverse of
registration; from then on by the order in which rank 0's units became complete in it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from raylm.core.errors import RayLMError
from raylm.parallel.collectives.communicator import Communicator
from raylm.parallel.collectives.queue import Handle
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.gradients import Gradients

_IN_FLIGHT = 16  # reductions under way before the backward pass waits for the oldest


class Reducer:
    """`on_complete` is told of each flat whose gradients have all arrived in this pass."""

    def __init__(
        self,
        gradients: Sequence[Gradients],
        communicator: Communicator,
        on_complete: Callable[[Flat], None],
    ) -> None:
        self.gradients = list(gradients)
        self._communicator = communicator
        self._on_complete = on_complete
        self._order = list(reversed(self.gradients))
        self._is_order_learnt = False
        self._completed: list[Gradients] = []
        self._missing: dict[int, int] = {}
        self._launched = 0
        self._handles: deque[Handle] = deque()
        self._is_running = False
        self._reduces = False
        for place, part in enumerate(self.gradients):
            for index, parameter in enumerate(part.flat.parameters.values()):
                parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    partial(self._arrived, place, index)
                )

    def begin(self, reduces: bool) -> None:
        """A backward pass starts; `reduces` says whether its gradients are summed in it."""
        if any(part.is_read_by_peers for part in self.gradients):
            self._communicator.fence("another pass of the step").wait()
        self._is_running, self._reduces = True, reduces
        self._completed, self._launched = [], 0
        self._missing = {i: len(g.flat.parameters) for i, g in enumerate(self.gradients)}

    def end(self) -> None:
        """The backward pass is over: what it did not reach is summed as it is."""
        if not self._is_running:
            return
        self._is_running = False
        if not self._reduces:
            return
        while self._launched < len(self._order):
            self._launch()
        self._wait(0)
        if not self._is_order_learnt:
            self._learn_order()

    def abort(self) -> None:
        self._is_running = False
        self._wait(0)
        self.clear()

    @property
    def is_running(self) -> bool:
        return self._is_running

    @property
    def is_reduced(self) -> bool:
        return all(part.is_reduced for part in self.gradients)

    def reduce_all(self) -> None:
        """Outside of a backward pass: sum over the ranks what is not summed yet."""
        for part in self._order:
            self._handles.extend(part.reduce())
        self._wait(0)

    def clear(self) -> None:
        for part in self.gradients:
            part.clear()

    def _arrived(self, place: int, index: int, parameter: nn.Parameter) -> None:
        gradient, parameter.grad = parameter.grad, None
        if not self._is_running:
            raise RayLMError(
                "a gradient arrived outside of engine.backward; call engine.backward(loss) "
                "instead of loss.backward()"
            )
        assert gradient is not None
        part = self.gradients[place]
        part.add(index, gradient)
        self._missing[place] -= 1
        if self._missing[place] == 0:
            self._completed.append(part)
            self._on_complete(part.flat)
            if self._reduces:
                self._launch_ready()

    def _launch_ready(self) -> None:
        complete = {id(part) for part in self._completed}
        while self._launched < len(self._order) and id(self._order[self._launched]) in complete:
            self._launch()

    def _launch(self) -> None:
        self._handles.extend(self._order[self._launched].reduce())
        self._launched += 1
        self._wait(_IN_FLIGHT)

    def _wait(self, remaining: int) -> None:
        while len(self._handles) > remaining:
            self._handles.popleft().wait()

    def _learn_order(self) -> None:
        late = [part for part in self._order if part not in self._completed]
        places = [self.gradients.index(part) for part in (*self._completed, *late)]
        order = torch.tensor(places, dtype=torch.int64, device=self._device())
        self._communicator.broadcast(order, "the order of reduction")
        self._order = [self.gradients[place] for place in order.tolist()]
        self._is_order_learnt = True

    def _device(self) -> torch.device:
        return self.gradients[0].flat.full.device if self.gradients else torch.device("cpu")
