"""The weather at a place, from open-meteo.

Only the two configured hosts are ever asked: what the model says goes into the query, never into
the address, and no redirect is followed.
"""

from typing import Annotated, Any, Self

import aiohttp
import orjson
from pydantic import BaseModel, Field, model_validator

from raylm_apps.gateway.tools.base import ToolContext, ToolError

MAX_BYTES = 256_000
TIMEOUT_S = 10.0
AWAY = "The weather service cannot be reached at the moment."


class Place(BaseModel):
    city: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="A city's name, e.g. 'San Francisco'; leave it out with coordinates"
    )
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.city is None and (self.latitude is None or self.longitude is None):
            raise ValueError("give a city, or both latitude and longitude")
        return self


class GetWeather:
    name = "getWeather"
    description = "The current weather and today's forecast at a city or at coordinates."
    arguments = Place
    needs_approval = False
    timeout_s = 2 * TIMEOUT_S + 1

    def __init__(
        self, client: aiohttp.ClientSession, forecast_url: str, geocoding_url: str
    ) -> None:
        self._client = client
        self._forecast_url = forecast_url
        self._geocoding_url = geocoding_url

    async def run(self, arguments: Place, context: ToolContext) -> dict[str, Any]:
        where, found = await self._locate(arguments)
        forecast = await self._get(
            self._forecast_url,
            **where,
            current="temperature_2m",
            hourly="temperature_2m",
            daily="sunrise,sunset",
            timezone="auto",
            forecast_days="2",
        )
        return {**forecast, **found}

    async def _locate(self, place: Place) -> tuple[dict[str, str], dict[str, str]]:
        """The coordinates, and the name under which they were found. A city goes before them."""
        if place.city is None:
            return {"latitude": str(place.latitude), "longitude": str(place.longitude)}, {}
        listed = await self._get(self._geocoding_url, name=place.city, count="1", format="json")
        try:
            first = listed["results"][0]
            where = {name: str(float(first[name])) for name in ("latitude", "longitude")}
            return where, {"cityName": str(first["name"])}
        except (LookupError, TypeError, ValueError):
            raise ToolError(f"No city called {place.city!r} was found.") from None

    async def _get(self, url: str, **query: str) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with self._client.get(
                url, params=query, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise ToolError(f"{AWAY} (HTTP {response.status})")
                body = await response.content.read(MAX_BYTES)
                answer = orjson.loads(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ToolError(AWAY) from error
        except orjson.JSONDecodeError as error:
            raise ToolError("The weather service gave a strange answer.") from error
        if not isinstance(answer, dict):
            raise ToolError("The weather service gave a strange answer.")
        return answer
