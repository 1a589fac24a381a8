from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import ValidationError

from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.weather import GetWeather, Place

CARD = ModelCard("mock/tools", "tools", "mock", tools=True)
CONTEXT = ToolContext("u", "c", "m", MockProvider(), CARD, emit=lambda part: None)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


def weather(client: aiohttp.ClientSession, url: str, path: str = "forecast") -> GetWeather:
    return GetWeather(client, f"{url}/{path}", f"{url}/search")


async def test_a_city_and_coordinates(client: aiohttp.ClientSession, weather_url: str) -> None:
    tool = weather(client, weather_url)
    paris = await tool.run(Place(city="Paris"), CONTEXT)
    assert (paris["cityName"], paris["current"]["temperature_2m"]) == ("Paris", 11.5)
    pole = await tool.run(Place(latitude=-90, longitude=0), CONTEXT)
    assert (pole["latitude"], "cityName" in pole) == (-90, False)


@pytest.mark.parametrize("city", ["Atlantis", "../../etc", "x&latitude=1#", "http://169.254.1.1/"])
async def test_a_city_is_only_ever_a_name(
    client: aiohttp.ClientSession, weather_url: str, city: str
) -> None:
    with pytest.raises(ToolError, match="No city called"):
        await weather(client, weather_url).run(Place(city=city), CONTEXT)


@pytest.mark.parametrize(
    ("path", "error"), [("redirect", r"cannot be reached .*302"), ("broken", "strange answer")]
)
async def test_a_service_that_misbehaves(
    client: aiohttp.ClientSession, weather_url: str, path: str, error: str
) -> None:
    """A redirect to an address inside is not followed."""
    with pytest.raises(ToolError, match=error):
        await weather(client, weather_url, path).run(Place(city="Paris"), CONTEXT)


async def test_nobody_listens(client: aiohttp.ClientSession) -> None:
    with pytest.raises(ToolError, match="cannot be reached") as failure:
        await weather(client, "http://127.0.0.1:1").run(Place(city="Paris"), CONTEXT)
    assert "127.0.0.1" not in str(failure.value)


@pytest.mark.parametrize(
    "given", [{}, {"latitude": 1}, {"latitude": 91, "longitude": 0}, {"city": ""}]
)
def test_no_place(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Place.model_validate(given)
