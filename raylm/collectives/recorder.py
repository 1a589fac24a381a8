"""What this rank has communicated: bytes by operation, and the last operations by name."""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

_REMEMBERED = 64


@dataclass(slots=True)
class Operation:
    """`label` is the module, or the purpose, it was for."""

    number: int
    kind: str
    label: str
    began: float = field(default_factory=time.monotonic)
    is_done: bool = False

    def __str__(self) -> str:
        return f"#{self.number} {self.kind} of {self.label}"


class Recorder:
    """`bytes_sent` is the lower bound of what this rank had to send in each collective."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes: Counter[str] = Counter()
        self._last: deque[Operation] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def begin(self, kind: str, label: str, bytes_sent: int) -> Operation:
        with self._lock:
            self._count += 1
            operation = Operation(self._count, kind, label)
            self._last.append(operation)
            self._bytes[kind] += bytes_sent
            return operation

    @property
    def current(self) -> Operation | None:
        """The oldest operation still under way, the one that all later ones wait for."""
        with self._lock:
            return next((op for op in self._last if not op.is_done), None)

    def names(self) -> dict[int, str]:
        """The last operations by number."""
        with self._lock:
            return {op.number: f"{op.kind} of {op.label}" for op in self._last}

    @property
    def by_operation(self) -> dict[str, int]:
        """Bytes by kind of operation."""
        with self._lock:
            return dict(self._bytes)

    @property
    def bytes_sent(self) -> int:
        return sum(self.by_operation.values())

    def reset(self) -> None:
        """Count from nothing again."""
        with self._lock:
            self._bytes.clear()
