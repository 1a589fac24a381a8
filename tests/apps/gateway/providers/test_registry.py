"""Which providers the environment gives."""

from typing import Any

import aiohttp
import pytest

from raylm_apps.gateway.providers.google import GoogleProvider
from raylm_apps.gateway.providers.openai import OpenAIProvider
from raylm_apps.gateway.providers.openai_responses import OpenAIResponsesProvider
from raylm_apps.gateway.providers.registry import connections_of
from raylm_apps.gateway.settings import Settings


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({}, {}),
        ({"GOOGLE_API_KEY": "k"}, {"google": GoogleProvider}),
        ({"OPENAI_API_KEY": "k"}, {"openai": OpenAIProvider}),
        (
            {"OPENAI_API_KEY": "k", "OPENAI_API": "responses"},
            {"openai": OpenAIResponsesProvider},
        ),
    ],
)
async def test_a_key_is_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kinds: dict[str, Any]
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_API", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with aiohttp.ClientSession() as client:
        opened = [connection.open(client) for connection in connections_of(Settings())]
        found = {provider.name: type(provider) for provider in opened}
    assert found == kinds
