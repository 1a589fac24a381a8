"""When gradients are summed over the ranks: unit by unit while the backward pass still runs.

Collectives must meet in the same order on every rank. The first pass goes by the reverse of
registration; from then on by the order in which rank 0's units became complete in it.

A parameter gets one gradient in a pass, but one per region in torch.utils.checkpoint's reentrant
regions. The first pass shows how many there are to wait for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from raylm.collectives.communicator import Communicator
from raylm.collectives.queue import Handle
from raylm.core.errors import RayLMError
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.gradients import Gradients

_UNDER_WAY = 3  # units whose gradients wait in memory to be summed; then the pass waits for one


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
        self._expected = [len(part.flat.parameters) for part in self.gradients]
        self._missing = list(self._expected)
        self._late: list[tuple[int, int, torch.Tensor]] = []
        self._launched = 0
        self._under_way: deque[list[Handle]] = deque()
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
        self._missing, self._late = list(self._expected), []

    def end(self) -> None:
        """The backward pass is over: what it did not reach is summed as it is."""
        if not self._is_running:
            return
        for place, missing in enumerate(self._missing):
            self._expected[place] += max(0, -missing)
        if self._reduces:
            self._finish()
        self._is_running = False

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
            self._under_way.append(part.reduce())
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
        self._missing[place] -= 1
        if self._missing[place] < 0 and self._reduces:
            self._late.append((place, index, gradient))
            return
        part.add(index, gradient)
        if self._missing[place] == 0:
            self._completed.append(part)
            self._on_complete(part.flat)
            if self._reduces:
                self._launch_ready()

    def _launch_ready(self) -> None:
        complete = {id(part) for part in self._completed}
        while self._launched < len(self._order) and id(self._order[self._launched]) in complete:
            self._launch()

    def _finish(self) -> None:
        while self._launched < len(self._order):
            self._launch()
        self._wait(0)
        if not self._is_order_learnt:
            self._reduce_late()
            self._learn_order()
        elif self._late:
            self._refuse_late()

    def _launch(self) -> None:
        self._under_way.append(self._order[self._launched].reduce())
        self._launched += 1
        self._wait(_UNDER_WAY)

    def _wait(self, remaining: int) -> None:
        while len(self._under_way) > remaining:
            for handle in self._under_way.popleft():
                handle.wait()

    def _reduce_late(self) -> None:
        """Every rank asks the others: what came late on one is summed again on all."""
        flags = torch.zeros(len(self.gradients), device=self._device())
        for place, _, _ in self._late:
            flags[place] = 1.0
        self._communicator.all_reduce(flags, "the units with late gradients")
        if not flags.any():
            return
        self._communicator.fence("late gradients").wait()
        for place, index, gradient in self._late:
            self.gradients[place].add(index, gradient)
        for place in flags.nonzero().flatten().tolist():
            self._under_way.append(self.gradients[place].reduce())
        self._wait(0)

    def _refuse_late(self) -> None:
        place, index, _ = self._late[0]
        name = list(self.gradients[place].flat.parameters)[index]
        raise RayLMError(
            f"{name} got more gradients in this backward pass than in any before, after its unit "
            "was summed over the ranks; give torch.utils.checkpoint use_reentrant=False"
        )

    def _learn_order(self) -> None:
        late = [part for part in self._order if part not in self._completed]
        places = [self.gradients.index(part) for part in (*self._completed, *late)]
        order = torch.tensor(places, dtype=torch.int64, device=self._device())
        self._communicator.broadcast(order, "the order of reduction")
        self._order = [self.gradients[place] for place in order.tolist()]
        self._is_order_learnt = True

    def _device(self) -> torch.device:
        return self.gradients[0].flat.full.device if self.gradients else torch.device("cpu")
