"""Work for somebody who waits: it ends when they leave."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


async def while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Of a request whose body has been read: the work in this task, for a tenth of what a task
    group costs. False where they have left, once the work has ended."""
    working = asyncio.current_task()
    assert working is not None
    has_left = False

    def leave(listening: "asyncio.Task[None]") -> None:
        nonlocal has_left
        if not listening.cancelled():
            has_left = working.cancel()

    listening = asyncio.create_task(_leaving(receive))
    listening.add_done_callback(leave)
    try:
        await work
    except asyncio.CancelledError:
        if not has_left or working.uncancel() > 0:
            raise
        return False
    finally:
        listening.remove_done_callback(leave)
        listening.cancel()
    return True


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
