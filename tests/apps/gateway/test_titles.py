import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from raylm.core.wire.events import Event, TextDelta
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.budgets.budgets import Budgets
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.store import chats
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.telemetry import Metrics
from raylm_apps.gateway.titles import NewChat, Titles, sanitised, title_model
from tests.apps.gateway.harness import new_id
from tests.apps.gateway.routing.bench import catalog_of
from tests.apps.gateway.storing import store_exchange

CARD = ModelCard("namer/small", "small", "namer")
Speech = Callable[[], AsyncIterator[str]]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Rivers of Europe", "Rivers of Europe"),
        ('**Title:** "Rivers of Europe"\nI chose it because', "Rivers of Europe"),
        ("\n\n# Chat title: Rivers.\n", "Rivers"),
        ("<think>Hm. Rivers?</think>\nRivers", "Rivers"),
        ("<think>Hm. Rivers?", None),
        ("“Flüsse”", "Flüsse"),
        ("a\x00b", "ab"),
        ("", None),
        (" ... \n---", None),
        ("Sure! Here is a title that I think fits very well to your long question", None),
        ("x" * 300, "x" * 60 + "…"),
    ],
)
def test_what_a_model_says_becomes_a_title(said: str, title: str | None) -> None:
    assert sanitised(said) == title


def test_which_model_names_a_chat() -> None:
    hosted, local = ModelCard("openai/x", "x", "openai"), ModelCard("raylm/x", "x", "raylm")
    assert (title_model(None, hosted), title_model(None, local)) == ("openai/x", None)
    assert title_model("off", hosted) is None
    assert title_model("raylm/x", hosted) == "raylm/x"


class Namer:
    name = "namer"

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.prompts: list[Prompt] = []

    async def models(self) -> list[ModelCard]:
        return [CARD]

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        async for text in self.speech():
            yield TextDelta(text)


async def short() -> AsyncIterator[str]:
    yield "Two rivers"


async def endless() -> AsyncIterator[str]:
    while True:
        yield "word "
        await asyncio.sleep(0)


async def silent() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


async def broken() -> AsyncIterator[str]:
    yield "Two "
    raise ProviderError("no")


@pytest.fixture
async def new_chat(database: Database) -> NewChat:
    async with database.transaction() as connection:
        user_id = new_id()
        stored = await store_exchange(connection, user_id, new_id(), title="Name two")
    return NewChat(stored.answer.chat_id, Payer(user_id), "Name two")


@pytest.fixture
async def budgets(database: Database, stores: StoreUrls) -> AsyncIterator[Budgets]:
    budgets = Budgets(stores.redis_url, database, Metrics())
    loop = asyncio.create_task(budgets.run())
    yield budgets
    loop.cancel()
    await budgets.close()


async def title_in(database: Database, chat: NewChat) -> str:
    async with database.connection() as connection:
        found = await chats.find(connection, chat.id, chat.user_id)
    assert found is not None
    return found.chat.title


@pytest.mark.services
@pytest.mark.parametrize(
    ("speech", "title"),
    [(short, "Two rivers"), (endless, None), (silent, None), (broken, None)],
)
async def test_a_title_is_stored_or_the_chat_keeps_its_own(
    database: Database, budgets: Budgets, new_chat: NewChat, speech: Speech, title: str | None
) -> None:
    namer = Namer(speech)
    titles = Titles(catalog_of(namer), database, budgets, CARD.id, timeout_s=0.3)
    shown: list[str] = []
    titling = titles.titling(new_chat, "Name two rivers " * 1_000, CARD)
    titling.begin(shown.append)
    await titling.wait(5)
    assert shown == ([title] if title else [])
    assert await title_in(database, new_chat) == (title or "Name two")
    (prompt,) = namer.prompts
    assert prompt.sampling.max_tokens == 64
    assert len(prompt.turns[0].text) < 1_200


@pytest.mark.services
async def test_a_name_that_a_person_gave_stays(
    database: Database, budgets: Budgets, new_chat: NewChat
) -> None:
    async with database.connection() as connection:
        await chats.update(connection, new_chat.id, new_chat.user_id, {"title": "Mine"})
    titles = Titles(catalog_of(Namer(short)), database, budgets, CARD.id, timeout_s=5)
    assert await titles.think_of(new_chat, "Name two rivers", CARD.id) is None
    assert await title_in(database, new_chat) == "Mine"


@pytest.mark.services
async def test_a_silent_model_holds_nobody_up(
    database: Database, budgets: Budgets, new_chat: NewChat
) -> None:
    titles = Titles(catalog_of(Namer(silent)), database, budgets, CARD.id, timeout_s=60)
    titling = titles.titling(new_chat, "Name two rivers", CARD)
    titling.begin(lambda title: None)
    async with asyncio.timeout(5):
        await titling.wait(0.1)
        await titles.close()
