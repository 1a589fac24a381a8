"""Who may ask for what, and what names lead to."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest

from raylm.core.wire.events import Event
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard, Prices, ProviderError
from raylm_apps.gateway.providers.mock import MockProvider
from tests.apps.gateway.routing.bench import bench, catalog_of, text_of
from tests.apps.gateway.routing.upstream import refusing, saying

GUEST = Session("g", 0)
REGULAR = Session("r", 0, "regular", "ada@example.com", email_verified=True)
UNPROVED = Session("u", 0, "regular", "ada@example.com")
ADMIN = Session("a", 0, "admin", "chief@example.com", email_verified=True)


class Engine:
    name = "raylm"

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0

    async def models(self) -> Sequence[ModelCard]:
        self.asked += 1
        if self.is_away:
            raise ProviderError("The model cannot be reached.")
        return [ModelCard("raylm/small", "small", self.name)]

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        raise NotImplementedError
        yield


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def test_ids_find_their_model(engine: Engine) -> None:
    catalog = catalog_of(engine, MockProvider())
    provider, card = await catalog.resolve("mock/echo")
    assert (provider.name, card.id) == ("mock/echo", "mock/echo")
    assert (await catalog.resolve(None))[1].id == "raylm/small"


@pytest.mark.parametrize("wanted", ["mock/slow", "small", "raylm/small"])
async def test_the_default_is_named_with_or_without_provider(engine: Engine, wanted: str) -> None:
    default = await catalog_of(engine, MockProvider(), default=wanted).default()
    assert default is not None
    assert default.id in (wanted, f"raylm/{wanted}")


async def test_an_unknown_model_is_the_clients_mistake(engine: Engine) -> None:
    catalog = catalog_of(engine)
    for unknown in ("raylm/smoll", "nobody/small", "small", ""):
        with pytest.raises(ApiError, match="unknown model") as error:
            await catalog.resolve(unknown)
        assert error.value.status == 400


async def test_a_model_of_a_provider_that_is_away_is_not(engine: Engine) -> None:
    engine.is_away = True
    catalog = catalog_of(engine, MockProvider())
    with pytest.raises(ApiError) as error:
        await catalog.resolve("raylm/small")
    assert error.value.code == "offline:chat"
    assert (await catalog.resolve("mock/echo"))[1].id == "mock/echo"


async def test_a_known_model_outlives_its_providers_absence(engine: Engine) -> None:
    catalog = catalog_of(engine)
    await catalog.cards()
    engine.is_away = True
    assert (await catalog.resolve("raylm/small"))[1].id == "raylm/small"
    assert engine.asked == 1


async def test_without_any_model(engine: Engine) -> None:
    with pytest.raises(ApiError, match="no model is configured"):
        await catalog_of().resolve(None)


CONFIG: dict[str, Any] = {
    "models": {
        "up/a": {
            "name": "Model A",
            "tools": False,
            "vision": True,
            "context_tokens": 8000,
            "prices": {"input": 3, "output": 9, "cached": 0.3},
            "allow": ["admin", "Ada@Example.com"],
        },
        "up/b": {"context_tokens": 4000, "prices": {"input": 1, "output": 2}},
        "up/alias": {"remote_id": "b", "context_tokens": 64000},
    },
    "groups": {
        "both": {"name": "Both", "members": ["up/a", "up/b"], "context_fallbacks": ["up/alias"]},
        "secret": {"members": ["up/a"], "fallbacks": ["both"]},
        "staff": {"members": ["up/b"], "allow": ["admin"], "fallbacks": ["up/a"]},
        "open": {"members": ["up/b"], "fallbacks": ["staff", "up/a", "up/alias"]},
    },
}
BEHAVIOURS = {"a": saying("A"), "b": saying("B")}


async def test_what_is_known_better_than_the_list_says(tmp_path: Path) -> None:
    async with bench(tmp_path, BEHAVIOURS, **CONFIG) as world:
        cards = {card.id: card for card in await world.catalog.cards()}
        assert list(cards)[:4] == ["both", "secret", "staff", "open"]
        assert cards["up/a"] == ModelCard(
            "up/a",
            "Model A",
            "up",
            tools=False,
            vision=True,
            context_tokens=8000,
            remote_id="a",
            prices=Prices(3, 9, 0.3),
        )
        assert cards["up/b"].tools
        assert text_of(await world.answer("up/alias")) == "B"
        both = cards["both"]
        assert (both.name, both.provider, both.tools, both.vision) == ("Both", "up", False, False)
        assert both.prices == Prices(
            3, 9, 1
        )  # what is cached, too, costs what it costs the dearest
        assert both.context_tokens == 64000
        assert cards["secret"].context_tokens == 8000


@pytest.mark.parametrize(
    ("asker", "names"),
    [
        (None, {"both", "secret", "staff", "open", "up/a", "up/b", "up/alias"}),
        (ADMIN, {"both", "secret", "staff", "open", "up/a", "up/b", "up/alias"}),
        (REGULAR, {"both", "secret", "open", "up/a", "up/b", "up/alias"}),
        (UNPROVED, {"both", "open", "up/b", "up/alias"}),
        (GUEST, {"both", "open", "up/b", "up/alias"}),
    ],
    ids=["itself", "admin", "address", "not proved", "guest"],
)
async def test_everybody_sees_and_gets_what_is_theirs(
    tmp_path: Path, asker: Session | None, names: set[str]
) -> None:
    async with bench(tmp_path, BEHAVIOURS, **CONFIG) as world:
        catalog = world.catalog
        assert {card.id for card in await catalog.cards(asker)} == names
        every = {card.id for card in await catalog.cards()}
        for name in every - names:
            with pytest.raises(ApiError) as error:
                await catalog.resolve(name, asker)
            assert error.value.code == "forbidden:model"
            assert "ada@example" not in str(error.value)
        for name in names:
            await catalog.resolve(name, asker)


async def test_a_group_is_no_way_around_to_what_one_may_not_use(tmp_path: Path) -> None:
    """Neither its members nor its fallbacks, nor theirs."""
    behaviours = {"a": saying("A"), "b": refusing(500)}
    async with bench(tmp_path, behaviours, **CONFIG) as world:
        for name in ("both", "open"):
            provider, card = await world.catalog.resolve(name, GUEST)
            with pytest.raises(ProviderError):
                await anext(provider.stream(card, Prompt([])))
        assert "a" not in world.upstream.names()
        provider, card = await world.catalog.resolve("open", ADMIN)
        await anext(provider.stream(card, Prompt([])))
        assert world.upstream.names()[-1] == "a"


async def test_a_wrong_name_is_corrected_to_what_one_may_use(tmp_path: Path) -> None:
    async with bench(tmp_path, BEHAVIOURS, **CONFIG) as world:
        for asker, near in ((GUEST, "open"), (ADMIN, "staff")):
            with pytest.raises(ApiError) as error:
                await world.catalog.resolve("staf" if asker is ADMIN else "opn", asker)
            assert f"did you mean '{near}'" in str(error.value)
        with pytest.raises(ApiError) as error:
            await world.catalog.resolve("stafff", GUEST)
        assert "staff'?" not in str(error.value)


async def test_a_provider_that_lists_nothing_has_the_models_it_is_said_to(tmp_path: Path) -> None:
    async with bench(tmp_path, BEHAVIOURS) as other:
        port = other.upstream._runner.addresses[0][1]
        quiet = {"kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "models": ["b"]}
        away = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}
        async with bench(
            tmp_path,
            {},
            providers={"quiet": quiet, "away": away},
            models={"away/named": {}},
        ) as world:
            cards = {card.id for card in await world.catalog.cards()}
            assert cards == {"quiet/b", "away/named"}
            assert text_of(await world.answer("quiet/b")) == "B"
            with pytest.raises(ApiError, match="unknown model"):
                await world.catalog.resolve("quiet/a")
