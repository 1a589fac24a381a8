"""How many streams a user and an address read at once, in this process: a reader costs a connection
and a task for as long as it likes to listen. Counted in a dictionary, on the way of every message.
"""

from types import TracebackType
from typing import TypeVar

from fastapi import Response

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.slots import Room
from raylm_apps.gateway.sse import EventStream

RETRY_AFTER_S = 5.0
R = TypeVar("R", bound=Response)


class Readers:
    def __init__(self, *, enforced: bool = True) -> None:
        self._enforced = enforced
        self._reading: dict[str, int] = {}

    def seat(self, *rooms: Room) -> "Seat":
        """Raises rate_limit:stream where one of them is full."""
        for room in rooms:
            if self._enforced and self._reading.get(room.subject, 0) >= room.most:
                cause = f"at most {room.most} at a time"
                raise ApiError("rate_limit:stream", cause, retry_after_s=RETRY_AFTER_S)
        for room in rooms:
            self._reading[room.subject] = self._reading.get(room.subject, 0) + 1
        return Seat(self._reading, rooms)


class Seat:
    """Leaving the block leaves the seat, unless it is kept until a stream is read or cut off."""

    def __init__(self, reading: dict[str, int], rooms: tuple[Room, ...]) -> None:
        self._reading = reading
        self._rooms = rooms
        self._is_kept = False

    def keep_until_sent(self, response: R) -> R:
        """Another response than a stream is as good as sent."""
        if isinstance(response, EventStream):
            response.when_sent = self.leave
            self._is_kept = True
        return response

    def leave(self) -> None:
        for room in self._rooms:
            self._reading[room.subject] -= 1
            if not self._reading[room.subject]:
                del self._reading[room.subject]

    def __enter__(self) -> "Seat":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_kept:
            self.leave()
