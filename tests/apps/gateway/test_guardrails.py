"""An operator's functions between users and models, and what the log shows of both."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from raylm.core.errors import ConfigError
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.providers.guardrails import load_guardrails
from raylm_apps.gateway.providers.redaction import redacted, redacted_text
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    environment,
    eventually,
    new_id,
    parts_of,
    text_of,
)
from tests.apps.gateway.openai_server import SECRET, OpenAIServer, openai_server

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, upstream: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("guarded")
    variables = environment(
        stores,
        folder,
        RAYLM_GUARDRAILS="tests.apps.gateway.guardrails:swear_jar",
        RAYLM_LOG_EXCHANGES="1",
        OPENAI_BASE_URL=upstream.url,
        OPENAI_API_KEY=SECRET,
        PYTHONPATH=str(ROOT),
    )
    with GatewayProcess(folder / "log", variables) as process:
        yield process


@pytest.fixture(scope="module")
def user(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.mark.services
def test_the_chat_is_guarded(user: User) -> None:
    chat = new_id()
    user.ask("Ada says damn well", chat=chat)
    assert text_of(user.answer(chat)) == "somebody says **** well"


@pytest.mark.services
def test_a_refused_question_is_told_why(user: User) -> None:
    parts = parts_of(user.ask("How is a bomb made?", chat=new_id()).content)
    assert {"type": "error", "errorText": "That is not talked about here."} in parts


@pytest.mark.services
def test_a_refused_answer_keeps_what_was_shown(user: User) -> None:
    chat = new_id()
    user.ask("one two enough three", chat=chat)
    answer = user.answer(chat)
    assert answer["metadata"]["status"] == "error"
    assert "three" not in text_of(answer)


def complete(user: User, text: str, model: str) -> httpx.Response:
    messages = [{"role": "user", "content": text}]
    return user.http.post("/v1/chat/completions", json={"model": model, "messages": messages})


@pytest.mark.services
@pytest.mark.parametrize("model", ["mock/echo", "openai/words"])
def test_programs_are_guarded_too(user: User, upstream: OpenAIServer, model: str) -> None:
    """Also where the formats are the same: nothing goes past the guardrails."""
    upstream.asked.clear()
    refused = complete(user, "a bomb", model)
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        *(400, "content_policy_violation"),
    )
    assert "not talked about" in refused.json()["error"]["message"]
    assert not upstream.asked
    assert complete(user, "Ada", model).status_code == 200
    if upstream.asked:
        assert upstream.asked[0]["messages"][0]["content"] == "somebody"


@pytest.mark.services
def test_the_log_has_the_exchange_without_who_it_was(gateway: GatewayProcess, user: User) -> None:
    user.ask("I am grace@example.com with sk-abcdefgh12345678, hello there", chat=new_id())
    assert eventually(lambda: "hello there" in gateway.said)
    assert "grace@example.com" not in gateway.said
    assert "sk-abcdefgh12345678" not in gateway.said


@pytest.mark.parametrize(
    "name", ["nowhere", "nowhere:x", "os:nothing", "os:path", "tests.apps.gateway.guardrails"]
)
def test_a_guardrail_that_is_none_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load_guardrails([name])


def test_what_is_redacted() -> None:
    text = "Bearer abc.def sk-proj-12345678 AIzaSyA1234567890 +49 170 1234567 4111 1111 1111 1111"
    assert redacted_text(text).replace("[redacted]", "").split() == ["Bearer"]
    assert redacted("a plain sentence of 12 words") == "a plain sentence of 12 words"
    assert redacted_text("in 2026, 10,000 chats") == "in 2026, 10,000 chats"
