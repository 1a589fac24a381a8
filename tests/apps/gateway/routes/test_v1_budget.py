"""What programs use goes on their keys' budgets, in either format, streamed or not."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment, eventually
from tests.apps.gateway.openai_server import SECRET, USAGE, openai_server

pytestmark = pytest.mark.services
QUESTION: Any = [{"role": "user", "content": "How is the weather?"}]


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("v1-budget")
    with openai_server() as server:
        variables = environment(stores, folder, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=SECRET)
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


def limit(user: User, http: httpx.Client, **budget: Any) -> None:
    key_id = http.headers["x-key-id"]
    answer = user.http.patch(f"/api/keys/{key_id}", json={"budget": {"period": "day", **budget}})
    assert answer.status_code == 200, answer.text


def ask(http: httpx.Client, model: str = "openai/words", **more: Any) -> httpx.Response:
    asked = {"model": model, "messages": QUESTION, "max_tokens": 10, **more}
    return http.post("/v1/chat/completions", json=asked)


def used(user: User) -> dict[str, int]:
    """By model, tokens of input and output."""
    rows = user.http.get("/api/usage").json()["usage"]
    return {row["model"]: row["inputTokens"] + row["outputTokens"] for row in rows}


@pytest.mark.parametrize("stream", [False, True])
def test_requests_beyond_the_budget_are_refused(
    user: User, http: httpx.Client, stream: bool
) -> None:
    limit(user, http, requests=2)
    assert [ask(http, stream=stream).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(http, stream=stream)
    assert refused.json()["error"]["code"] == "rate_limit:budget"
    assert int(refused.headers["retry-after"]) > 0
    messages = {"model": "openai/words", "max_tokens": 9, "messages": QUESTION}
    told = http.post("/v1/messages", json=messages)
    assert (told.status_code, told.json()["error"]["type"]) == (429, "rate_limit_error")


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_those_that_the_provider_tells(
    user: User, http: httpx.Client, stream: bool
) -> None:
    assert ask(http, stream=stream).status_code == 200
    eventually(lambda: used(user) == {"openai/words": USAGE["total_tokens"]})


def test_a_failure_before_the_first_word_costs_nothing(user: User, http: httpx.Client) -> None:
    limit(user, http, requests=1)
    assert ask(http, "openai/html").status_code == 502
    assert ask(http).status_code == 200
    assert ask(http).status_code == 429


def test_what_broke_off_is_estimated(user: User, http: httpx.Client) -> None:
    assert ask(http, "openai/unfinished", stream=True).status_code == 200
    assert eventually(lambda: used(user).get("openai/unfinished", 0) > 0)


def test_an_answer_from_the_cache_costs_nothing(user: User, http: httpx.Client) -> None:
    limit(user, http, requests=1)
    http.headers["x-raylm-cache"] = "60"
    assert [ask(http).headers["x-raylm-cache"] for _ in range(2)] == ["miss", "hit"]
    assert ask(http, seed=1).status_code == 429
