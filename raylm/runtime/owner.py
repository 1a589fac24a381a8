"""Owner: the actor that leads detached workers. Without one they end themselves."""

import os
import threading
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

_LOOK_S = 5.0
_PATIENCE_S = 10.0  # with a worker whose owner is gone: another one may adopt it


def myself() -> Any:
    """The actor this runs in; None elsewhere."""
    context = ray.get_runtime_context()
    return context.current_actor if context.get_actor_id() else None


class OwnerWatch:
    """Ends this process when its owner has died for good and no other has come in its place."""

    def __init__(self) -> None:
        self._owner: Any = None
        self._is_new = threading.Event()

    def stay_with(self, owner: Any) -> None:
        is_first, self._owner = self._owner is None, owner
        self._is_new.set()
        if is_first:
            threading.Thread(target=self._watch, name="raylm-owner", daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._is_new.clear()
            answer = self._owner.__ray_ready__.remote()  # fails at once when it dies
            while not self._is_new.wait(_LOOK_S) and not _is_over(answer):
                pass
            is_dead = not self._is_new.is_set() and _tells_of_death(answer)
            if is_dead and not self._is_new.wait(_PATIENCE_S):
                os._exit(0)


def _is_over(answer: Any) -> bool:
    return bool(ray.wait([answer], timeout=0)[0])


def _tells_of_death(answer: Any) -> bool:
    try:
        ray.get(answer)
    except ActorDiedError:
        return True
    except RayError:  # it is starting again
        return False
    return False
