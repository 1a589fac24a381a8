"""The answers that this process is writing."""

import asyncio

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.generation import Generation
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.tracing import Tracing


class Generations:
    def __init__(self, tracing: Tracing | None = None) -> None:
        self._tracing = tracing or Tracing()
        self._tasks: dict[AnswerKey, tuple[Generation, asyncio.Task[None]]] = {}

    def start(self, generation: Generation) -> asyncio.Task[None]:
        """It runs until its own end, whatever becomes of the request."""
        task = asyncio.create_task(self._run(generation))
        self._tasks[generation.key] = (generation, task)
        task.add_done_callback(lambda _: self._tasks.pop(generation.key))
        return task

    def hand_over(self, user_id: str, new_user_id: str) -> None:
        """A guest has become an account in the middle of an answer."""
        for generation in self.of_user(user_id):
            generation.user_id = new_user_id

    async def _run(self, generation: Generation) -> None:
        key = generation.key
        ids = {"raylm.chat.id": key.chat_id, "raylm.message.id": key.message_id}
        with self._tracing.span("answer", **ids) as span:
            await generation.run()
            if span is not None:
                span.set_attribute("raylm.answer.status", str(generation.log.ending))

    def __len__(self) -> int:
        return len(self._tasks)

    def find(self, key: AnswerKey) -> Generation | None:
        found = self._tasks.get(key)
        return found[0] if found else None

    def of_user(self, user_id: str, chat_id: str | None = None) -> list[Generation]:
        return [
            generation
            for generation, _ in self._tasks.values()
            if generation.user_id == user_id and chat_id in (None, generation.key.chat_id)
        ]

    async def stop(self, key: AnswerKey, status: Status = Status.STOPPED) -> bool:
        """True once the answer has ended and is stored; False where it is not written here."""
        if key not in self._tasks:
            return False
        generation, task = self._tasks[key]
        generation.cut_short(status)
        await asyncio.wait((task,))
        return True

    async def stop_chats(self, chat_ids: set[str]) -> None:
        keys = [key for key in self._tasks if key.chat_id in chat_ids]
        await asyncio.gather(*(self.stop(key) for key in keys))

    async def checkpoint_every(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            for generation, _ in self._tasks.values():
                generation.checkpoint()

    async def drain(self, patience_s: float) -> None:
        """At shutdown: let answers finish for a while, then keep what there is of them."""
        if self._tasks:
            await asyncio.wait([task for _, task in self._tasks.values()], timeout=patience_s)
        await asyncio.gather(*(self.stop(key, Status.INTERRUPTED) for key in list(self._tasks)))
