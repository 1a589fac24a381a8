"""Vectors over HTTP: a real engine of a tiny model, and OpenAI's own client."""

import base64
import struct
from typing import Any

import httpx
import openai
import pytest

from raylm.infer.async_engine import AsyncLLM
from tests.serve.conftest import serving
from tests.tiny_model import write_tiny_model

CONTEXT = 64
TEXT = "the quick brown fox"


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    return AsyncLLM(
        str(folder), quantization="none", threads=1, max_running=4, max_model_len=CONTEXT
    )


@pytest.fixture(scope="module")
def url(llm):
    with serving(llm) as server:
        yield server.url


@pytest.fixture
def sdk(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_texts_and_tokens_alike(sdk, llm):
    """However they are sent, in their order."""
    ids = llm.tokenizer.encode(TEXT, add_special_tokens=True)
    one = sdk.embeddings.create(model="tiny", input=TEXT)
    both = sdk.embeddings.create(model="tiny", input=["lazy dog", TEXT])
    (vector,) = (each.embedding for each in one.data)
    assert len(vector) == 64
    assert sum(number**2 for number in vector) == pytest.approx(1, abs=1e-5)
    assert [each.index for each in both.data] == [0, 1]
    assert both.data[1].embedding == pytest.approx(vector, abs=1e-5)
    assert both.data[0].embedding != pytest.approx(vector, abs=1e-2)
    for tokens in (ids, [ids]):
        told = sdk.embeddings.create(model="tiny", input=tokens)
        assert told.data[0].embedding == pytest.approx(vector, abs=1e-5)
        assert told.usage.prompt_tokens == told.usage.total_tokens == len(ids)
    assert one.model == "raylm/tiny"


def test_both_encodings(http):
    def vector(form: str) -> Any:
        asked = {"model": "tiny", "input": TEXT, "encoding_format": form}
        return http.post("/v1/embeddings", json=asked).json()["data"][0]["embedding"]

    packed = base64.b64decode(vector("base64"))
    assert list(struct.unpack("<64f", packed)) == pytest.approx(vector("float"), abs=1e-6)


def test_more_at_once_than_the_engine_runs(sdk):
    answer = sdk.embeddings.create(model="tiny", input=[TEXT] * 50)
    assert len({tuple(round(n, 4) for n in each.embedding) for each in answer.data}) == 1


@pytest.mark.parametrize(
    ("asked", "param", "says"),
    [
        ({"input": [5] * 65}, "input", ("65", "64")),
        ({"input": ["fox", ""]}, "input", ("no tokens",)),
        ({"input": []}, "input", ("at least one",)),
        ({"input": [[]]}, "input", ("no tokens",)),
        ({"input": [10**6]}, "input", ("1000000", "vocabulary")),
        ({"input": TEXT, "dimensions": 8}, "dimensions", ("leave it out",)),
        ({"input": {"text": TEXT}}, "input", ("input",)),
    ],
)
def test_what_cannot_be_is_named(http, asked, param, says):
    answer = http.post("/v1/embeddings", json={"model": "tiny", **asked})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["param"].startswith(param)
    assert all(words in error["message"] for words in says)


def test_a_model_that_is_not_served(http):
    answer = http.post("/v1/embeddings", json={"model": "other", "input": TEXT})
    assert answer.status_code == 404


def test_they_are_counted(http, llm):
    def counted() -> float:
        lines = http.get("/metrics").text.splitlines()
        start = 'raylm_engine_tokens_total{kind="prompt",model="raylm/tiny"}'
        return next((float(line.split()[-1]) for line in lines if line.startswith(start)), 0.0)

    before = counted()
    http.post("/v1/embeddings", json={"model": "tiny", "input": [5, 6, 7]})
    assert counted() == before + 3
