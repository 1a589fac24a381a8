"""Vectors of our own engine, through the gateway, read by OpenAI's own client."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from raylm.infer.async_engine import AsyncLLM
from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.serve.conftest import serving
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    llm = AsyncLLM(str(folder), quantization="none", threads=1, max_running=4, max_model_len=64)
    with serving(llm) as server:  # type: ignore[arg-type]
        yield f"{server.url}/v1"


@pytest.fixture(scope="module")
def sdk(
    engine_url: str, stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("engine-embeddings")
    variables = environment(stores, folder, RAYLM_ENGINE_URL=engine_url, RAYLM_V1_ACCESS="anyone")
    with (
        GatewayProcess(folder / "log", variables) as process,
        openai.OpenAI(base_url=f"{process.base_url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_they_come_through(sdk: openai.OpenAI, engine_url: str) -> None:
    asked = ["the quick brown fox", "lazy dog"]
    told = sdk.embeddings.create(model="raylm/tiny", input=asked)
    with openai.OpenAI(base_url=engine_url, api_key="none") as direct:
        expected = direct.embeddings.create(model="tiny", input=asked)
    assert [each.embedding for each in told.data] == [
        pytest.approx(each.embedding, abs=1e-5) for each in expected.data
    ]
    assert told.usage.prompt_tokens == expected.usage.prompt_tokens > 0


def test_an_input_too_long_names_both_numbers(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        sdk.embeddings.create(model="raylm/tiny", input=[[5] * 65])
    assert failure.value.code == "context_length_exceeded"
    assert "65 tokens" in failure.value.message
    assert "holds 64" in failure.value.message


def test_dimensions_are_refused_by_name(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="dimensions is not supported"):
        sdk.embeddings.create(model="raylm/tiny", input="fox", dimensions=8)
