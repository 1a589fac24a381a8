"""Work that ends with its client: when the connection closes, the work is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


async def while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run `work` to its end, or cancel it (and wait until it has let go) on disconnect.

    It runs in the caller's task: one of its own would begin after all other requests of the moment.
    """
    worker = asyncio.current_task()
    assert worker is not None
    has_left = is_over = False

    def leave(_: asyncio.Task[None]) -> None:
        nonlocal has_left
        if not is_over:
            has_left = worker.cancel()

    watcher = asyncio.create_task(_disconnected(receive))
    watcher.add_done_callback(leave)
    try:
        await work
    except asyncio.CancelledError:
        if not has_left or worker.cancelling() > 1:  # by others, too
            raise
    finally:
        is_over = True
        if has_left:
            worker.uncancel()
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
