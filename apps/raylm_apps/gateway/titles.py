"""Titles by a model, thought of while the answer to a chat's first question is being written."""

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from raylm.core.wire.events import TextDelta
from raylm.core.wire.prompt import Prompt, Sampling, Turn
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.budgets.metered import Metered
from raylm_apps.gateway.conversation import title_of
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.routing.catalog import Catalog
from raylm_apps.gateway.store import titles
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.store.pool import Database, OutageError

OFF = "off"
INSTRUCTION = (
    "Write a title of two to five words for a chat that begins with the message below. "
    "Answer with the title alone."
)
QUESTION_CHARS = 1_000
MAX_TOKENS = 64
MAX_CHARS = 300
MAX_WORDS = 12
_LABEL = re.compile(r"^\W*(?:chat )?title\W*:\W*", re.IGNORECASE)
_THOUGHTS = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)
logger = structlog.get_logger()


@dataclass(frozen=True)
class NewChat:
    id: str
    payer: Payer
    title: str
    """The beginning of its first question."""
    asker: Session | None = None
    """Whose models may name it, where the chat's own does; None: any."""

    @property
    def user_id(self) -> str:
        return self.payer.user_id


def sanitised(text: str) -> str | None:
    """The title in what a model said; None where there is none worth having."""
    lines = [line for line in _THOUGHTS.sub("", text).splitlines() if re.search(r"\w", line)]
    if not lines:
        return None
    bare = _LABEL.sub("", lines[0]).replace("\x00", "").strip(" \t\"'“”‘’«»*_#`.:-")
    if not re.search(r"\w", bare) or len(bare.split()) > MAX_WORDS:
        return None
    return title_of(bare)


def title_model(setting: str | None, answering: ModelCard) -> str | None:
    """By default hosted models name their own chats; the local engine has better to do."""
    if setting is not None:
        return None if setting == OFF else setting
    return None if answering.provider in ("raylm", "mock") else answering.id


class Titles:
    def __init__(
        self,
        catalog: Catalog,
        database: Database,
        budgets: Budgets,
        setting: str | None,
        timeout_s: float,
    ) -> None:
        self._catalog = catalog
        self._database = database
        self._budgets = budgets
        self._setting = setting
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()

    def titling(self, chat: NewChat, question: str, answering: ModelCard) -> "Titling":
        return Titling(self, chat, question, title_model(self._setting, answering))

    def start(
        self, chat: NewChat, question: str, model_id: str, show: Callable[[str], None]
    ) -> asyncio.Task[None]:
        """It goes on after the answer's end."""
        task = asyncio.create_task(self._entitle(chat, question, model_id, show))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def think_of(self, chat: NewChat, question: str, model_id: str) -> str | None:
        """The title, once it is stored; None where the chat keeps the one that it has."""
        try:
            async with asyncio.timeout(self._timeout_s):
                title = sanitised(await self._ask(chat, question, model_id))
                if title is None:
                    return None
                async with self._database.connection() as connection:
                    replaced = await titles.replace(
                        connection, chat.id, chat.user_id, chat.title, title
                    )
        except (ProviderError, ApiError, OutageError, TimeoutError) as error:
            logger.warning("a chat gets no title of a model", model=model_id, error=repr(error))
            return None
        return title if replaced else None

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _entitle(
        self, chat: NewChat, question: str, model_id: str, show: Callable[[str], None]
    ) -> None:
        title = await self.think_of(chat, question, model_id)
        if title is not None:
            show(title)

    async def _ask(self, chat: NewChat, question: str, model_id: str) -> str:
        asker = chat.asker if self._setting is None else None  # what is set counts for everybody
        provider, card = await self._catalog.resolve(model_id, asker)
        turn = Turn("user", f"{INSTRUCTION}\n\n{question[:QUESTION_CHARS]}")
        text = ""
        prompt = Prompt([turn], sampling=Sampling(max_tokens=MAX_TOKENS))
        with self._budgets.beside(chat.payer, card) as reservation:
            stream = Metered(provider, self._budgets, reservation).stream(card, prompt)
            async with aclosing(stream) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        text += event.text
                    if len(text) > MAX_CHARS and "<think>" not in text:
                        break
        return text


class Titling:
    """A new chat on its way to a title: first the cut question, then perhaps a better one."""

    def __init__(self, titles: Titles, chat: NewChat, question: str, model_id: str | None) -> None:
        self.cut = chat.title
        self._titles = titles
        self._chat = chat
        self._question = question
        self._model_id = model_id
        self._task: asyncio.Task[None] | None = None

    def begin(self, show: Callable[[str], None]) -> None:
        if self._model_id is not None:
            self._task = self._titles.start(self._chat, self._question, self._model_id, show)

    async def wait(self, seconds: float) -> None:
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=seconds)
