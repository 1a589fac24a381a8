"""What the scheduler was told and what it planned, a JSON object a line; and its replay.

    python -m raylm.infer.trace FILE

`ServeConfig.trace_path` records. A trace holds the token ids of prompts and answers.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raylm.core.errors import ConfigError, DataError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Limits, Plan, Scheduler

_FORMAT = 1

Event = dict[str, Any]
Rows = list[list[Any]]  # a plan: of each chunk the request's number, start, length, samples,
# guesses and blocks


class RecordingScheduler(Scheduler):
    """Schedules alike, and writes each call with what has changed in the requests since the last.

    Lines are appended one by one, so that a crash leaves all of them.
    """

    def __init__(self, pool: BlockPool, limits: Limits, path: Path) -> None:
        super().__init__(pool, limits)
        self._path = path
        self._numbers: dict[Request, int] = {}  # unfinished ones
        self._told: dict[Request, tuple[int, int, int]] = {}
        self._submitted = 0
        self._steps = 0
        sizes = {"num_blocks": pool.num_blocks, "block_size": pool.block_size}
        try:
            path.write_text("")
        except OSError as error:
            raise ConfigError(f"trace_path {path} cannot be written: {error.strerror}") from None
        self._write({"trace": _FORMAT, **sizes, "limits": asdict(limits)})

    def submit(self, request: Request) -> None:
        number = self._numbers[request] = self._submitted
        self._submitted += 1
        self._told[request] = _state(request)
        self._write({"submit": number, **_submission(request)})
        super().submit(request)

    def schedule(self) -> Plan:
        changed = [self._changes(request) for request in self._numbers]
        guesses = [[number, r.guesses] for r, number in self._numbers.items() if r.guesses]
        plan = super().schedule()
        self._steps += 1
        self._write(
            {
                "step": self._steps,
                "changed": [change for change in changed if change],
                "guesses": guesses,
                "plan": _rows(plan, self._numbers.__getitem__),
            }
        )
        return plan

    def finish(self, request: Request, reason: FinishReason) -> None:
        change = self._changes(request)
        number = self._numbers.pop(request)
        del self._told[request]
        self._write({"finish": number, "reason": reason, "changed": [change] if change else []})
        super().finish(request, reason)

    def forget(self) -> None:
        self._write({"call": "forget"})
        super().forget()

    def start_over(self) -> None:
        self._write({"call": "start_over"})
        super().start_over()

    def _changes(self, request: Request) -> list[Any] | None:
        """[number, computed_length, the first place that may differ, the token ids from there]"""
        state = _state(request)
        old = self._told[request]
        if state == old:
            return None
        self._told[request] = state
        start = min(old[1], state[1])
        ids = request.token_ids[start:]
        return [self._numbers[request], request.computed_length, start, ids]

    def _write(self, event: Event) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(event, separators=(",", ":")) + "\n")


def replay(path: Path) -> Iterator[tuple[int, Rows, Rows]]:
    """Do it again with a fresh scheduler: of each step its number and the chunks, with their
    blocks, as they were planned then and now. Raises DataError for what is no trace."""
    events = _read(path)
    head = next(events, {})
    if head.get("trace") != _FORMAT:
        raise DataError(f"{path} is no trace of format {_FORMAT}; record one with trace_path")
    pool = BlockPool(head["num_blocks"], head["block_size"])
    scheduler = Scheduler(pool, Limits(**head["limits"]))
    requests: dict[int, Request] = {}
    for event in events:
        for number, computed_length, start, ids in event.get("changed", ()):
            requests[number].computed_length = computed_length
            requests[number].token_ids[start:] = ids
        for number, guesses in event.get("guesses", ()):
            requests[number].guesses = guesses
        match event:
            case {"submit": number}:
                requests[number] = _request(event)
                scheduler.submit(requests[number])
            case {"call": "forget"}:
                scheduler.forget()
            case {"call": "start_over"}:
                scheduler.start_over()
            case {"finish": number, "reason": reason}:
                scheduler.finish(requests.pop(number), FinishReason(reason))
            case {"step": step, "plan": planned}:
                numbers = {request: number for number, request in requests.items()}
                yield step, planned, _rows(scheduler.schedule(), numbers.__getitem__)
                for request in numbers:
                    request.guesses = []


def _state(request: Request) -> tuple[int, int, int]:
    return request.computed_length, request.known_length, len(request.token_ids)


def _rows(plan: Plan, number_of: Callable[[Request], int]) -> Rows:
    return [
        [number_of(request), start, length, samples, list(guesses), list(request.blocks)]
        for request, start, length, samples, guesses in plan.chunks
    ]


def _submission(request: Request) -> Event:
    names = ("id", "index", "user", "priority", "prompt_length", "max_length", "token_ids")
    pooled = {"pooled": True} if request.pooled else {}
    return {name: getattr(request, name) for name in names} | pooled


def _request(event: Event) -> Request:
    fields = {name: value for name, value in event.items() if name != "submit"}
    return Request(**fields, params=SamplingParams(), seed=0)


def _read(path: Path) -> Iterator[Event]:
    try:
        with path.open() as file:
            for place, line in enumerate(file, 1):
                yield _parse(line, f"{path}:{place}")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _parse(line: str, where: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise DataError(f"{where} is no JSON object; the trace is cut or not one")
    return event


def report(path: Path) -> str | None:
    """The first step that is planned otherwise; None if there is none."""
    for step, then, now in replay(path):
        if then != now:
            return f"{path}: step {step} was planned as {then}, and is now as {now}"
    return None


if __name__ == "__main__":
    try:
        sys.exit(report(Path(sys.argv[1])))
    except DataError as error:
        sys.exit(str(error))
