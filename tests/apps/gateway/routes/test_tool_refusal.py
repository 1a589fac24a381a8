"""A hosted model that takes no tools, and says so only when it is asked with some."""

from collections.abc import Iterator
from typing import Any

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    environment,
    new_id,
    parts_of,
    text_of,
)
from tests.apps.gateway.refusing_server import REFUSALS, RefusingServer, refusing_server

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def server() -> Iterator[RefusingServer]:
    with refusing_server() as server:
        yield server


@pytest.fixture(scope="module")
def user(
    server: RefusingServer, stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[User]:
    folder = tmp_path_factory.mktemp("refusing")
    variables = environment(
        stores,
        folder,
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY="none",
        RAYLM_TITLE_MODEL="mock/title",
    )
    with GatewayProcess(folder / "log", variables) as gateway:
        yield gateway.user()


def notices(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part["data"] for part in parts if part["type"] == "data-notice"]


@pytest.mark.parametrize("model", REFUSALS)
def test_it_answers_without_and_the_user_is_told(
    user: User, server: RefusingServer, model: str
) -> None:
    server.asked.clear()
    chat = new_id()
    first = parts_of(user.ask("Is it raining?", chat=chat, model=f"openai/{model}").content)
    told = {"kind": "tools-refused", "text": f"{model} cannot use tools, so it answers without."}
    assert notices(first) == [told]
    assert first[-1]["type"] == "finish"
    answer = user.answer(chat)
    assert (text_of(answer), answer["metadata"]["status"]) == ("Hi.", "complete")
    assert notices(answer["parts"]) == [told]
    assert [bool(tools) for _, tools in server.asked] == [True, False]
    assert "getWeather" in server.asked[0][1]

    second = parts_of(user.ask("And now?", chat=chat, model=f"openai/{model}").content)
    assert notices(second) == [told]
    assert [bool(tools) for _, tools in server.asked] == [True, False, False]


def test_another_mistake_is_not_tried_again(user: User, server: RefusingServer) -> None:
    server.asked.clear()
    chat = new_id()
    parts = parts_of(user.ask("Is it raining?", chat=chat, model="openai/wrong").content)
    assert (parts[-1]["type"], notices(parts)) == ("error", [])
    assert user.answer(chat)["metadata"]["status"] == "error"
    assert len(server.asked) == 1
