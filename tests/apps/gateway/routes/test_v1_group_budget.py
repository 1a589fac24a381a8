"""What an answer of a group costs: each model that said a part of it, at its own price."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment, eventually, parts_of
from tests.apps.gateway.openai_server import SECRET, USAGE, openai_server

pytestmark = pytest.mark.services
QUESTION: Any = [{"role": "user", "content": "How is the weather?"}]
ASKED_TOKENS = 7  # a third of its characters
PRICES: Any = {
    "up/reset": {"prices": {"input": 10, "output": 100}},
    "up/words": {"prices": {"input": 1, "output": 2}},
}
WORDS_TOKENS = USAGE["total_tokens"]
WORDS_MICROS = USAGE["prompt_tokens"] + 2 * USAGE["completion_tokens"]


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("group-budget")
    groups = {
        "sure": {"members": ["up/reset", "up/words"], "allowed_fails": 999},
        "thrifty": {"members": ["up/words", "up/reset"]},
    }
    with openai_server() as server:
        up = {"kind": "openai", "base_url": server.url, "api_key": "${UP_KEY}"}
        config = {"providers": {"up": up}, "models": PRICES, "groups": groups}
        path = folder / "providers.yaml"
        path.write_text(yaml.safe_dump(config))
        variables = environment(
            stores,
            folder,
            RAYLM_PROVIDERS=str(path),
            RAYLM_TITLE_MODEL="mock/title",
            UP_KEY=SECRET,
        )
        with GatewayProcess(folder / "log", variables) as process:
            yield process


@pytest.fixture
def user(gateway: GatewayProcess) -> User:
    user = gateway.user()
    user.register()
    return user


@pytest.fixture
def http(gateway: GatewayProcess, user: User) -> httpx.Client:
    client = gateway.visitor()
    created = user.http.post("/api/keys", json={"name": "program"}).json()
    client.headers["authorization"] = f"Bearer {created['key']}"
    client.headers["x-key-id"] = created["id"]
    return client


def limit(user: User, http: httpx.Client, **budget: int) -> None:
    path = f"/api/keys/{http.headers['x-key-id']}"
    answer = user.http.patch(path, json={"budget": {"period": "day", **budget}})
    assert answer.status_code == 200, answer.text


def ask(http: httpx.Client, model: str, path: str = "chat/completions") -> httpx.Response:
    asked = {"model": model, "messages": QUESTION, "max_tokens": 10, "stream": True}
    return http.post(f"/v1/{path}", json=asked)


def used(user: User) -> dict[str, tuple[int, int, int]]:
    """By the name that was asked: requests, tokens, micro-dollars."""
    rows = user.http.get("/api/usage").json()["usage"]
    return {
        row["model"]: (
            row["requests"],
            row["inputTokens"] + row["outputTokens"],
            row["micros"],
        )
        for row in rows
    }


@pytest.mark.parametrize("path", ["chat/completions", "messages"])
def test_it_is_reserved_for_the_dearest_and_settled_for_who_answers(
    user: User, http: httpx.Client, path: str
) -> None:
    limit(user, http, micros=ASKED_TOKENS * 10 + 10 * 100 - 1)
    refused = ask(http, "thrifty", path)
    assert (refused.status_code, used(user)) == (429, {})
    limit(user, http, micros=ASKED_TOKENS * 10 + 10 * 100)
    assert ask(http, "thrifty", path).status_code == 200
    eventually(lambda: used(user) == {"thrifty": (1, WORDS_TOKENS, WORDS_MICROS)})


@pytest.mark.parametrize("path", ["chat/completions", "messages"])
@pytest.mark.parametrize("budget", [{}, {"tokens": 1_000}])
def test_who_broke_off_is_paid_for_what_came(
    user: User, http: httpx.Client, path: str, budget: dict[str, int]
) -> None:
    if budget:
        limit(user, http, **budget)
    answer = ask(http, "sure", path)
    assert answer.status_code == 200
    assert b"today." in answer.content
    (told,) = eventually(lambda: used(user)).values()
    requests, tokens, micros = told
    said = tokens - ASKED_TOKENS - WORDS_TOKENS  # the frames of one word, as tokens
    assert (requests, said) == (1, 1 if path == "chat/completions" else 3)
    assert micros == ASKED_TOKENS * 10 + said * 100 + WORDS_MICROS


def test_nobody_goes_on_where_the_budget_ends(user: User, http: httpx.Client) -> None:
    limit(user, http, tokens=ASKED_TOKENS + 10 + 5)
    answer = ask(http, "sure")
    (error,) = (part for part in parts_of(answer.content) if "error" in part)
    assert "the budget does not pay another one" in error["error"]["message"]
    eventually(lambda: used(user)["sure"][:2] == (1, ASKED_TOKENS + 1))


def test_a_chat_is_no_other(user: User, chat: str) -> None:
    user.ask("How is the weather?", chat=chat, model="sure")
    requests, tokens, micros = eventually(lambda: used(user).get("sure"))
    asked = tokens - WORDS_TOKENS - 2  # "half" are two tokens; the prompt is the gateway's own
    assert requests == 1
    assert asked >= ASKED_TOKENS
    assert micros == asked * 10 + 2 * 100 + WORDS_MICROS
