"""One model, or all, for clients of OpenAI's API and of Anthropic's, failures in their words."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
import yaml

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment

pytestmark = pytest.mark.services
ANTHROPIC = {"anthropic-version": "2023-06-01"}
LARGE: Any = {"context_tokens": 9000, "name": "Echo & Co"}


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("v1-models")
    config = {
        "models": {"mock/echo": LARGE, "mock/title": {"allow": ["admin"]}},
        "groups": {"both": {"members": ["mock/echo", "mock/base"]}},
    }
    path = folder / "providers.yaml"
    path.write_text(yaml.safe_dump(config))
    with GatewayProcess(
        folder / "log", environment(stores, folder, RAYLM_PROVIDERS=str(path))
    ) as process:
        yield process


@pytest.fixture(scope="module")
def api_key(gateway: GatewayProcess) -> str:
    user = gateway.user()
    user.register()
    key: str = user.http.post("/api/keys", json={"name": "A program"}).json()["key"]
    return key


@pytest.fixture
def of_openai(gateway: GatewayProcess, api_key: str) -> Iterator[openai.OpenAI]:
    url = f"{gateway.base_url}/v1"
    with openai.OpenAI(base_url=url, api_key=api_key, max_retries=0) as client:
        yield client


@pytest.fixture
def of_anthropic(gateway: GatewayProcess, api_key: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.base_url, api_key=api_key, max_retries=0) as client:
        yield client


@pytest.fixture
def http(gateway: GatewayProcess, api_key: str) -> httpx.Client:
    client = gateway.visitor()
    client.headers["authorization"] = f"Bearer {api_key}"
    return client


def test_one_that_openai_s_client_asks_for(of_openai: openai.OpenAI) -> None:
    told = of_openai.models.retrieve("mock/echo").to_dict()
    assert told.pop("created")
    assert told == {
        "id": "mock/echo",
        "object": "model",
        "owned_by": "mock",
        "max_model_len": 9000,
    }
    assert of_openai.models.retrieve("both").id == "both"


def test_none_that_openai_s_client_knows(of_openai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as failure:
        of_openai.models.retrieve("mock/ecco")
    assert failure.value.code == "model_not_found"
    assert "did you mean 'mock/echo'" in failure.value.message
    with pytest.raises(openai.PermissionDeniedError):
        of_openai.models.retrieve("mock/title")


def test_all_that_anthropic_s_client_asks_for(
    of_openai: openai.OpenAI, of_anthropic: anthropic.Anthropic
) -> None:
    """Page by page."""
    page = of_anthropic.models.list(limit=3)
    assert (len(page.data), page.has_more) == (3, True)
    assert [model.id for model in page] == [model.id for model in of_openai.models.list()]


def test_one_that_anthropic_s_client_asks_for(of_anthropic: anthropic.Anthropic) -> None:
    told = of_anthropic.models.retrieve("mock/echo")
    assert (told.id, told.display_name, told.max_input_tokens) == ("mock/echo", "Echo & Co", 9000)


def test_none_that_anthropic_s_client_knows(of_anthropic: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as failure:
        of_anthropic.models.retrieve("nobody/x")
    error: Any = failure.value.body
    assert (error["type"], error["error"]["type"]) == ("error", "not_found_error")
    with pytest.raises(anthropic.PermissionDeniedError):
        of_anthropic.models.retrieve("mock/title")


@pytest.mark.parametrize(("headers", "has_type"), [({}, False), (ANTHROPIC, True)])
def test_refusals_are_in_the_asker_s_format(
    gateway: GatewayProcess, http: httpx.Client, headers: dict[str, str], has_type: bool
) -> None:
    for answer, status in (
        (gateway.visitor().get("/v1/models", headers=headers), 401),
        (http.get("/v1/models?limit=0", headers=headers), 400),
    ):
        assert answer.status_code == status
        body = answer.json()
        assert ("type" in body) is has_type
        assert body["error"]["message"]
