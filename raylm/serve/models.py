"""The models a replica serves: loaded, exchanged and let go while it runs."""

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

from raylm.core.errors import EngineError, InUseError, ModelNotFoundError
from raylm.core.schema import ModelConfig
from raylm.serve.board import Board, Entry
from raylm.serve.loader import Loader
from raylm.serve.meters import Meters
from raylm.serve.seam import Engine
from raylm.serve.served_model import ServedModel

POLL_S = 0.5  # the longest a change stays unknown to the other replicas
LONGEST_PAUSE_S = 60.0  # between attempts at a model that does not load

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Models:
    """Every change is made here first, so that who asked for it hears how it went, and then
    written on the board, which the other replicas follow. One change at a time."""

    def __init__(self, loader: Loader, board: Board, drain_s: float = 0.0) -> None:
        self._loader = loader
        self._board = board
        self._drain_s = drain_s
        self._served: dict[str, ServedModel] = {}
        self._entries: dict[str, Entry] = {}
        self._loading: dict[str, float] = {}
        self.failures: dict[str, str] = {}
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.meters = Meters(lambda: {served.id: served.engine for served in self})

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self._served.values()))

    @property
    def loading(self) -> dict[str, float]:
        """Id -> for how many seconds."""
        return {id: time.monotonic() - since for id, since in self._loading.items()}

    def add(self, id: str, engine: Engine) -> None:
        """An engine made elsewhere, which no board tells of."""
        self._served[id] = ServedModel(engine, id, self.meters)

    def open(self, first: ModelConfig) -> None:
        """What the board names, or `first` where nobody has written on it yet. Takes long."""
        wanted = self._board.read()
        if not wanted:
            id = self._loader.id_of(first)
            wanted = {id: Entry(first, "first")}
            self._board.write(id, wanted[id], replace=False)
        for id, entry in wanted.items():
            if entry is not None:
                self._enter(id, entry, self._loader.load(entry.config))

    async def start(self) -> None:
        for served in self:
            await served.engine.start()
        self._spawn(self._follow())

    async def shutdown(self, drain_s: float) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(served.engine.shutdown(drain_s) for served in self))

    async def find(self, name: str) -> ServedModel:
        """Waits for one that another replica serves already. Raises ModelNotFoundError, or
        EngineError where that one does not load here."""
        if self._named(name) is None and (id := await self._promised(name)) is not None:
            if id not in self.failures:
                await self._to_the_end(self._follow_board())
            if id in self.failures:
                raise EngineError(f"model {id!r} does not load here: {self.failures[id]}")
        return self._require(name)

    async def load(self, config: ModelConfig) -> ServedModel:
        """Once more changes nothing. Raises InUseError where the id means another model, and
        what the loader raises."""
        return await self._to_the_end(self._load(config))

    async def update(self, name: str, changes: Mapping[str, Any]) -> ServedModel:
        """Load beside the old one, then exchange them: streams that run end on the old one."""
        return await self._to_the_end(self._update(name, changes))

    async def unload(self, name: str) -> None:
        """Take no new requests for it, let those that run end, free its memory."""
        await self._to_the_end(self._unload(name))

    async def _load(self, config: ModelConfig) -> ServedModel:
        id = await asyncio.to_thread(self._loader.id_of, config)
        async with self._changing:
            await self._catch_up()
            if (served := self._served.get(id)) is None:
                return await self._serve_and_tell(id, Entry(config))
            if id in self._entries and self._entries[id].config == config:
                return served
            raise InUseError(
                f"model {id!r} is served already, with other options; update it, unload it, "
                "or choose another name"
            )

    async def _update(self, name: str, changes: Mapping[str, Any]) -> ServedModel:
        async with self._changing:
            await self._catch_up()
            id = self._require(name).id
            kept = self._entries[id].config.to_dict() if id in self._entries else {}
            return await self._serve_and_tell(id, Entry(ModelConfig.load(kept | dict(changes))))

    async def _unload(self, name: str) -> None:
        async with self._changing:
            await self._catch_up()
            served = self._require(name)
            await asyncio.to_thread(self._board.write, served.id, None)
            let_go = self._let_go(served.id)
        await let_go

    async def _serve_and_tell(self, id: str, entry: Entry) -> ServedModel:
        served = await self._serve(id, entry)
        await asyncio.to_thread(self._board.write, id, entry)
        return served

    async def _serve(self, id: str, entry: Entry) -> ServedModel:
        self._loading[id] = time.monotonic()
        try:
            engine = await asyncio.to_thread(self._loader.load, entry.config)
            await engine.start()
        finally:
            del self._loading[id]
        if id in self._served:
            self._let_go(id)
        return self._enter(id, entry, engine)

    def _enter(self, id: str, entry: Entry, engine: Engine) -> ServedModel:
        self._entries[id] = entry
        self._served[id] = ServedModel(engine, id, self.meters)
        return self._served[id]

    def _let_go(self, id: str) -> asyncio.Task[None]:
        self._entries.pop(id, None)
        return self._spawn(_end(self._served.pop(id), self._drain_s))

    async def _follow(self) -> None:
        pause_s = POLL_S
        while True:
            await asyncio.sleep(pause_s)
            await self._follow_board()
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if self.failures else POLL_S

    async def _follow_board(self) -> None:
        async with self._changing:
            await self._catch_up()

    async def _catch_up(self) -> None:
        """What does not load here hinders nothing else; an old version of it stays."""
        self.failures = {}
        for id, entry in (await asyncio.to_thread(self._board.read)).items():
            if entry is None:
                if id in self._entries:
                    self._let_go(id)
            elif id not in self._entries or self._entries[id].version != entry.version:
                try:
                    await self._serve(id, entry)
                except Exception as error:
                    logger.exception("model %r, which other replicas serve, does not load", id)
                    self.failures[id] = str(error)

    async def _promised(self, name: str) -> str | None:
        """The id of the model that is to be served under that name."""
        wanted = await asyncio.to_thread(self._board.read)
        ids = (id for id in (name, f"raylm/{name}") if wanted.get(id) is not None)
        return next(ids, None)

    def _named(self, name: str) -> ServedModel | None:
        """Clients may leave out the `raylm/` in front."""
        return self._served.get(name) or self._served.get(f"raylm/{name}")

    def _require(self, name: str) -> ServedModel:
        if (served := self._named(name)) is None:
            known = ", ".join(map(repr, self._served)) or "none"
            raise ModelNotFoundError(f"model {name!r} is not served here; served: {known}")
        return served

    async def _to_the_end(self, change: Coroutine[Any, Any, T]) -> T:
        """An admin who does not wait for the answer leaves nothing half done."""
        return await asyncio.shield(self._spawn(change))

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _end(served: ServedModel, drain_s: float) -> None:
    try:
        await served.drain(drain_s)
    finally:
        await served.engine.shutdown()
    del served
    await asyncio.to_thread(gc.collect)  # an engine and its thread hold each other
