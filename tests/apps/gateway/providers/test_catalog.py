from collections.abc import AsyncGenerator, Sequence

import pytest

from raylm.core.wire.events import Event
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.catalog import Catalog
from raylm_apps.gateway.providers.mock import MockProvider


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


async def test_ids_find_their_provider(engine: Engine) -> None:
    catalog = Catalog([engine, MockProvider()], default=None)
    provider, card = await catalog.resolve("mock/echo")
    assert (provider.name, card.id) == ("mock", "mock/echo")
    assert (await catalog.resolve(None))[1].id == "raylm/small"


@pytest.mark.parametrize("wanted", ["mock/slow", "small", "raylm/small"])
async def test_the_default_is_named_with_or_without_provider(engine: Engine, wanted: str) -> None:
    default = await Catalog([engine, MockProvider()], default=wanted).default()
    assert default is not None
    assert default.id in (wanted, f"raylm/{wanted}")


async def test_an_unknown_model_is_the_clients_mistake(engine: Engine) -> None:
    catalog = Catalog([engine], default=None)
    for unknown in ("raylm/smoll", "nobody/small", "small", ""):
        with pytest.raises(ApiError, match="unknown model") as error:
            await catalog.resolve(unknown)
        assert error.value.status == 400


async def test_a_model_of_a_provider_that_is_away_is_not(engine: Engine) -> None:
    engine.is_away = True
    catalog = Catalog([engine, MockProvider()], default=None)
    with pytest.raises(ApiError) as error:
        await catalog.resolve("raylm/small")
    assert error.value.code == "offline:chat"
    assert (await catalog.resolve("mock/echo"))[1].id == "mock/echo"


async def test_a_known_model_outlives_its_providers_absence(engine: Engine) -> None:
    catalog = Catalog([engine], default=None)
    await catalog.cards()
    engine.is_away = True
    assert (await catalog.resolve("raylm/small"))[1].id == "raylm/small"
    assert engine.asked == 1


async def test_without_any_model(engine: Engine) -> None:
    with pytest.raises(ApiError, match="no model is configured"):
        await Catalog([], default=None).resolve(None)
