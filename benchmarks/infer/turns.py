"""What a contender's process does between rounds: it waits for a line, takes its turn, answers.

Standard library only: the peers' environments have neither torch nor RayLM.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")
Turn = Callable[..., Any]  # keyword arguments and result are JSON


@dataclass
class Laps:
    """Seconds of each step by both clocks; the CPU's counts all threads of the process."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def time(self, step: Callable[[], Result]) -> Result:
        wall, cpu = time.perf_counter(), time.process_time()
        result = step()
        self.cpu_s.append(time.process_time() - cpu)
        self.wall_s.append(time.perf_counter() - wall)
        return result

    def as_dict(self) -> dict[str, list[float]]:
        return asdict(self)


def serve(prepare: Callable[[], Mapping[str, Turn]]) -> None:
    """Says when it is ready, then answers each line of stdin with one, until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints belongs in the log
    turns = prepare()
    _tell(answers, "ready")
    for line in sys.stdin:
        request = json.loads(line)
        _tell(answers, turns[request.pop("turn")](**request))


def _tell(answers: Any, value: object) -> None:
    print(json.dumps(value), file=answers, flush=True)
