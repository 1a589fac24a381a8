"""A run on a cluster whose driver may die: it goes on in an actor, which anybody can follow.

Ray starts the actor again when it dies; it finds its workers at work by their group's name.
"""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raylm.core.errors import WorkerError
from raylm.core.schema import TrainConfig
from raylm.runtime.group import end_group
from raylm.runtime.session import ray_session
from raylm.runtime.worker import NAMESPACE
from raylm.train.run import Note, located, updates
from raylm.train.rundir import Start, recorded
from raylm.train.update import Update

_NEWS_S = 1.0  # how long a call waits for something to tell
_FOLLOWED_S = 60.0  # a run that is over stays so long for somebody to hear of it
_RESTART_S = 120.0
_THREADS = 4
_KEPT = 10_000  # updates and lines, for whoever comes later or is slow


@dataclass(frozen=True, slots=True)
class News:
    """What has happened in one life of the actor, from entry `seen` of its list on: updates and
    lines for a person. `status` is empty while the run goes on."""

    life: str
    seen: int
    entries: tuple[Update | str, ...]
    status: str
    error: BaseException | None


class RunActor:
    """`start` of its first life: later ones begin with the updates that former ones have
    recorded."""

    def __init__(self, config: TrainConfig, start: Start, name: str) -> None:
        is_again = ray.get_runtime_context().was_current_actor_reconstructed
        self._start = start
        self._config, self._name = config, name
        self._life = secrets.token_hex(4)
        self._entries: list[Update | str] = []
        self._dropped = 0  # before the first that is kept
        if is_again:
            self._entries += recorded(start.folder, start.step)
        self._status = ""
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._is_stopped = threading.Event()
        threading.Thread(target=self._run, name="raylm-run", daemon=True).start()

    def news(self, life: str, seen: int) -> News:
        """What the caller has not seen; waits a moment if that is nothing."""
        with self._changed:
            at = max(seen if life == self._life else 0, self._dropped)
            if self._dropped + len(self._entries) == at and not self._status:
                self._changed.wait(_NEWS_S)
                at = max(at, self._dropped)
            new = tuple(self._entries[at - self._dropped :])
            return News(self._life, at + len(new), new, self._status, self._error)

    def stop(self) -> None:
        """Finish the step, save, end."""
        self._is_stopped.set()

    def pid(self) -> int:
        return os.getpid()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for update in updates(
                self._config,
                self._start,
                "auto",
                self._is_stopped.is_set,
                self._tell,
                self._name,
            ):
                self._tell(update)
        except BaseException as raised:  # whoever follows raises it
            error = raised
        with self._changed:
            self._error = error
            self._status = "failed" if error else "over"
            self._changed.notify_all()
        time.sleep(_FOLLOWED_S)
        _end(self._name)

    def _tell(self, entry: Update | str) -> None:
        with self._changed:
            self._entries.append(entry)
            if len(self._entries) > 2 * _KEPT:
                self._dropped += _KEPT
                del self._entries[:_KEPT]
            self._changed.notify_all()


def run_name(folder: Path) -> str:
    """Of the actor and the group of the run in `folder`."""
    place = str(folder.absolute())
    return f"{folder.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def is_under_way(folder: Path, address: str | None) -> bool:
    with ray_session(address):
        return _find(run_name(folder)) is not None


def follow(
    config: TrainConfig,
    start: Start,
    address: str | None,
    stop: Callable[[], bool],
    note: Note,
) -> Generator[Update, None, None]:
    """Start a run in an actor, or find it there, and tell what it does until it is over.

    Closing the generator ends the run. Raises what the run raises, WorkerError when its actor
    has gone for good.
    """
    name = run_name(start.folder)
    with ray_session(address):
        if (actor := _find(name)) is None:
            actor = _launch(config, start, name)
        else:
            note(f"following the run under way in {start.folder}, which keeps its settings")
        try:
            yield from _listen(actor, stop, note)
        finally:
            _end(name)
            end_group(name)


def _listen(actor: Any, stop: Callable[[], bool], note: Note) -> Generator[Update, None, None]:
    life, seen, step, is_told = "", 0, 0, False
    lost_at: float | None = None
    while True:
        try:
            if stop() and not is_told:
                ray.get(actor.stop.remote())
                is_told = True
            news: News = ray.get(actor.news.remote(life, seen))
        except RayTaskError:
            raise
        except RayActorError as error:  # Ray may be starting it again
            lost_at = lost_at or _lost(note)
            if isinstance(error, ActorDiedError) or time.monotonic() - lost_at > _RESTART_S:
                raise WorkerError(f"the run's actor has died: {error}") from error
            is_told = False
            time.sleep(_NEWS_S / 2)
            continue
        known = range(step + 1) if life not in ("", news.life) else ()
        lost_at, life, seen = None, news.life, news.seen
        for entry in news.entries:
            if isinstance(entry, str):
                note(entry)
            elif entry.step not in known:
                step = entry.step
                yield entry
        if news.error is not None:
            raise news.error
        if news.status:
            return


def _lost(note: Note) -> float:
    note("the run's actor has died; Ray starts it again, its workers stay")
    return time.monotonic()


def _launch(config: TrainConfig, start: Start, name: str) -> Any:
    """On this node, if it can be: the run's directory is here."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    options: dict[str, Any] = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": _THREADS}
    actor_class: Any = ray.remote(**options)(RunActor)
    absolute = replace(start, folder=start.folder.absolute())
    return actor_class.options(
        name=name, namespace=NAMESPACE, lifetime="detached", scheduling_strategy=here
    ).remote(located(config), absolute, name)


def _find(name: str) -> Any | None:
    with suppress(ValueError):
        return ray.get_actor(name, NAMESPACE)
    return None


def _end(name: str) -> None:
    if (actor := _find(name)) is not None:
        ray.kill(actor)
