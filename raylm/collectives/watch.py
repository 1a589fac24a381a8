"""Finds out why a collective hangs, within seconds, and says it on every rank.

Each rank publishes its last operations in the group's store. One that waits compares them: the
first number at which two ranks name different operations is where they parted. A rank that
is waited for beyond the timeout is named with its last operation. All ranks then dump their
stacks and fail.
"""

import atexit
import faulthandler
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping

from torch.distributed.distributed_c10d import Store

from raylm.collectives.recorder import Recorder
from raylm.core.errors import CollectiveError

TICK_S = 0.5
SUSPICIOUS_S = 2.0
_JOIN_S = 2.0


class Watch:
    def __init__(
        self,
        recorder: Recorder,
        store: Store,
        rank: int,
        world_size: int,
        timeout_s: float,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._recorder, self._store, self._fail = recorder, store, fail
        self._rank, self._world_size, self._timeout_s = rank, world_size, timeout_s
        self._published = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raylm-watch", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """A thread inside of the store's client when the interpreter ends would abort it."""
        atexit.unregister(self.close)
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            try:
                self._publish()
                failure = self._inspect()
            except (RuntimeError, ValueError):  # the store is gone, and the run with it
                return
            if failure is not None:
                self._dump()
                self._fail(CollectiveError(failure))
                return

    def _publish(self) -> None:
        text = json.dumps(self._recorder.names())
        if text != self._published:
            self._store.set(f"operations/{self._rank}", text)
            self._published = text

    def _inspect(self) -> str | None:
        """What is wrong, which every rank is told by the first to know."""
        if self._store.check(["failure"]):
            return str(self._store.get("failure").decode())
        failure = self._failure()
        if failure is not None:
            self._store.set("failure", failure)
        return failure

    def _failure(self) -> str | None:
        current = self._recorder.current
        waited_s = 0.0 if current is None else time.monotonic() - current.began
        if current is None or waited_s < min(SUSPICIOUS_S, self._timeout_s):
            return None
        last = self._of_all_ranks()
        if (difference := disagreement(last)) is not None or waited_s < self._timeout_s:
            return difference
        each = "; ".join(f"rank {rank}: {latest(names)}" for rank, names in sorted(last.items()))
        return f"rank {self._rank} waited {waited_s:.0f} s in {current}; last of each rank: {each}"

    def _of_all_ranks(self) -> dict[int, dict[int, str]]:
        keys = {rank: f"operations/{rank}" for rank in range(self._world_size)}
        return {
            rank: {int(n): name for n, name in json.loads(self._store.get(key)).items()}
            for rank, key in keys.items()
            if self._store.check([key])
        }

    def _dump(self) -> None:
        sys.stderr.write(f"rank {self._rank}: a collective hangs; stacks:\n")
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr)


def latest(names: Mapping[int, str]) -> str:
    return f"#{max(names)} {names[max(names)]}" if names else "nothing yet"


def disagreement(last: Mapping[int, Mapping[int, str]]) -> str | None:
    """The first operation by number that two ranks name differently, as a sentence."""
    ranks = sorted(last)
    for number in sorted({n for names in last.values() for n in names}):
        named = {rank: last[rank][number] for rank in ranks if number in last[rank]}
        if len(set(named.values())) > 1:
            what = "; ".join(f"rank {rank}: {name}" for rank, name in named.items())
            return (
                f"the ranks part at collective #{number}: {what}; every rank must use the same "
                "modules in the same order"
            )
    return None
