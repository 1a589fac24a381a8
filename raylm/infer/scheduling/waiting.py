"""Who waits, and whose turn it is: the highest priority's, and in it the user's who had least."""

import heapq
from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from raylm.infer.scheduling.fairness import Service
from raylm.infer.scheduling.request import Request

# So many are let in past a priority before it has a turn out of order.
PATIENCE = 32


@dataclass(slots=True)
class _Level:
    """The queues of one priority."""

    users: dict[str, deque[Request]] = field(default_factory=dict)  # each by arrival
    passed_over: int = 0  # admissions from other levels since the last from this one

    @property
    def urgency(self) -> int:
        return self.passed_over if self.passed_over >= PATIENCE else 0

    def __len__(self) -> int:
        return sum(map(len, self.users.values()))


class WaitingQueue:
    """No priority waits for more than PATIENCE admissions of others, and one of each other
    priority that waits; so its own traffic alone decides how long a request of it waits."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._levels: dict[int, _Level] = {}

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))

    def __iter__(self) -> Iterator[Request]:
        for level in self._levels.values():
            for queue in level.users.values():
                yield from queue

    def lengths(self) -> dict[int, int]:
        """How many wait, by priority. May be asked from any thread."""
        return {priority: len(level) for priority, level in sorted(self._levels.items())}

    def users(self) -> set[str]:
        return {user for level in self._levels.values() for user in level.users}

    def push(self, request: Request) -> None:
        level = self._levels.setdefault(request.priority, _Level())
        queue = level.users.setdefault(request.user, deque())
        insort(queue, request, key=attrgetter("arrival"))

    def remove(self, request: Request) -> None:
        level = self._levels[request.priority]
        queue = level.users[request.user]
        queue.remove(request)
        if not queue:
            del level.users[request.user]
        if not level.users:
            del self._levels[request.priority]

    def candidates(self) -> Iterator[Request]:
        """The first of each user, by turn."""
        for _, level in sorted(self._levels.items(), key=lambda x: (-x[1].urgency, -x[0])):
            firsts = [
                (self._service.tokens(user), queue[0].arrival, queue[0])
                for user, queue in level.users.items()
            ]
            heapq.heapify(firsts)
            while firsts:
                yield heapq.heappop(firsts)[2]

    def let_in(self, request: Request) -> None:
        own = self._levels[request.priority]
        request.on_turn |= own.urgency > 0
        for level in self._levels.values():
            level.passed_over = 0 if level is own else level.passed_over + 1
        self.remove(request)
