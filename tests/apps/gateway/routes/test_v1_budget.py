"""What programs use goes on their keys' budgets, in either format, streamed or not; what a group
says, at the price of each model that said a part of it."""

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
GROUPS: Any = {
    "sure": {"members": ["up/reset", "up/words"], "allowed_fails": 999},
    "thrifty": {"members": ["up/words", "up/reset"]},
}
WORDS_TOKENS = USAGE["total_tokens"]
WORDS_MICROS = USAGE["prompt_tokens"] + 2 * USAGE["completion_tokens"]

streams = pytest.mark.parametrize("stream", [False, True])
paths = pytest.mark.parametrize("path", ["chat/completions", "messages"])


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("v1-budget")
    with openai_server() as server:
        up = {"kind": "openai", "base_url": server.url, "api_key": "${UP_KEY}"}
        config = {"providers": {"up": up}, "models": PRICES, "groups": GROUPS}
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


def ask(
    http: httpx.Client, model: str = "up/words", path: str = "chat/completions", **more: Any
) -> httpx.Response:
    asked = {"model": model, "messages": QUESTION, "max_tokens": 10, **more}
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


@streams
def test_requests_beyond_the_budget_are_refused(
    user: User, http: httpx.Client, stream: bool
) -> None:
    limit(user, http, requests=2)
    assert [ask(http, stream=stream).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(http, stream=stream)
    assert refused.json()["error"]["code"] == "rate_limit:budget"
    assert int(refused.headers["retry-after"]) > 0
    told = ask(http, path="messages")
    assert (told.status_code, told.json()["error"]["type"]) == (429, "rate_limit_error")


@streams
def test_tokens_are_those_that_the_provider_tells(
    user: User, http: httpx.Client, stream: bool
) -> None:
    assert ask(http, stream=stream).status_code == 200
    eventually(lambda: used(user) == {"up/words": (1, WORDS_TOKENS, WORDS_MICROS)})


def test_a_failure_before_the_first_word_costs_nothing(user: User, http: httpx.Client) -> None:
    limit(user, http, requests=1)
    assert ask(http, "up/html").status_code == 502
    assert ask(http).status_code == 200
    assert ask(http).status_code == 429


def test_what_broke_off_is_estimated(user: User, http: httpx.Client) -> None:
    assert ask(http, "up/unfinished", stream=True).status_code == 200
    assert eventually(lambda: used(user).get("up/unfinished", (0, 0, 0))[1] > 0)


def test_an_answer_from_the_cache_costs_nothing(user: User, http: httpx.Client) -> None:
    limit(user, http, requests=1)
    http.headers["x-raylm-cache"] = "60"
    assert [ask(http).headers["x-raylm-cache"] for _ in range(2)] == ["miss", "hit"]
    assert ask(http, seed=1).status_code == 429


@paths
def test_a_group_is_reserved_for_the_dearest_and_settled_for_who_answers(
    user: User, http: httpx.Client, path: str
) -> None:
    limit(user, http, micros=ASKED_TOKENS * 10 + 10 * 100 - 1)
    refused = ask(http, "thrifty", path, stream=True)
    assert (refused.status_code, used(user)) == (429, {})
    limit(user, http, micros=ASKED_TOKENS * 10 + 10 * 100)
    assert ask(http, "thrifty", path, stream=True).status_code == 200
    eventually(lambda: used(user) == {"thrifty": (1, WORDS_TOKENS, WORDS_MICROS)})


@paths
@pytest.mark.parametrize("budget", [{}, {"tokens": 1_000}])
def test_who_broke_off_is_paid_for_what_came(
    user: User, http: httpx.Client, path: str, budget: dict[str, int]
) -> None:
    if budget:
        limit(user, http, **budget)
    answer = ask(http, "sure", path, stream=True)
    assert answer.status_code == 200
    assert b"today." in answer.content
    (told,) = eventually(lambda: used(user)).values()
    requests, tokens, micros = told
    said = tokens - ASKED_TOKENS - WORDS_TOKENS  # the frames of one word, as tokens
    assert (requests, said) == (1, 1 if path == "chat/completions" else 3)
    assert micros == ASKED_TOKENS * 10 + said * 100 + WORDS_MICROS


def test_nobody_goes_on_where_the_budget_ends(user: User, http: httpx.Client) -> None:
    limit(user, http, tokens=ASKED_TOKENS + 10 + 5)
    answer = ask(http, "sure", stream=True)
    (error,) = (part for part in parts_of(answer.content) if "error" in part)
    assert "the budget does not pay another one" in error["error"]["message"]
    eventually(lambda: used(user)["sure"][:2] == (1, ASKED_TOKENS + 1))


def test_a_chat_with_a_group_is_no_other(user: User, chat: str) -> None:
    user.ask("How is the weather?", chat=chat, model="sure")
    requests, tokens, micros = eventually(lambda: used(user).get("sure"))
    asked = tokens - WORDS_TOKENS - 2  # "half" are two tokens; the prompt is the gateway's own
    assert requests == 1
    assert asked >= ASKED_TOKENS
    assert micros == asked * 10 + 2 * 100 + WORDS_MICROS
