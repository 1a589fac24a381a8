"""Vectors of the default model against transformers, and of a tiny one among streams."""

import asyncio
from pathlib import Path

import pytest
import torch
import transformers

from raylm.core.errors import InputTooLongError, RequestError
from raylm.core.sampling import SamplingParams
from raylm.infer.async_engine import AsyncLLM
from raylm.infer.llm import LLM
from raylm.infer.trace import report
from raylm.models.hf_config import hf_config
from raylm.models.source import open_model
from raylm_kernels.cpu import build
from tests.tiny_model import write_tiny_model

TEXTS = [
    "The capital of France is Paris.",
    "Paris is the capital city of France, on the river Seine.",
    "def fibonacci(n):\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "a",
    "A long tale, told again and again. " * 40,
]
GREEDY = SamplingParams(max_tokens=12, temperature=0, ignore_eos=True)


@pytest.fixture(scope="module")
def expected() -> torch.Tensor:
    """Mean of the last hidden states, of length 1, by transformers."""
    source = open_model("smollm2")
    config = transformers.LlamaConfig(**hf_config(source.spec))
    model = transformers.LlamaForCausalLM(config)
    state = {name: source.weights[name].float() for name, _ in source.spec.parameters()}
    model.load_state_dict(state | {"lm_head.weight": state["model.embed_tokens.weight"]})
    means = []
    with torch.no_grad():
        for text in TEXTS:
            ids = torch.tensor([source.tokenizer.encode(text)])
            means.append(model.model(ids).last_hidden_state[0].mean(dim=0))
    return torch.nn.functional.normalize(torch.stack(means), dim=1)


@pytest.mark.parametrize(("quantization", "least"), [("none", 0.99999), ("int8", 0.99)])
def test_vectors_equal_transformers(
    expected: torch.Tensor, quantization: str, least: float
) -> None:
    available, reason = build.available()
    if quantization != "none" and not available:
        pytest.skip(reason)
    llm = LLM("smollm2", quantization=quantization, threads=1, max_model_len=1024)
    found = torch.tensor(llm.embed(TEXTS))
    assert torch.allclose(found.norm(dim=1), torch.ones(len(TEXTS)), atol=1e-5)
    assert (found * expected).sum(dim=1).min() > least
    near, far = found[0] @ found[1], found[0] @ found[2]
    assert near > far


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", max_positions=256))


def llm_of(tiny: str, **options: object) -> LLM:
    return LLM(tiny, threads=1, max_model_len=256, max_running=4, **options)


@pytest.mark.parametrize("options", [{"max_batch_tokens": 4}, {"prefix_cache": False}])
def test_neither_chunks_nor_what_is_cached_change_a_vector(
    tiny: str, options: dict[str, object]
) -> None:
    prompt = list(range(2, 102))
    whole = llm_of(tiny, max_batch_tokens=256)
    (first,) = whole.embed(prompt)
    whole.generate(prompt, GREEDY)
    (again,) = whole.embed(prompt)
    assert again == first
    (cut,) = llm_of(tiny, **options).embed(prompt)
    assert cut == pytest.approx(first, abs=1e-5)


def test_preempted_it_begins_anew(tiny: str) -> None:
    """There are blocks for one and a half: who goes first takes them back."""
    token_bytes = 2 * 2 * 2 * 16 * 4
    prompt = list(range(2, 102))
    (expected,) = llm_of(tiny).embed(prompt)
    narrow = LLM(
        tiny, threads=1, max_running=4, max_batch_tokens=8, kv_cache_bytes=160 * token_bytes
    )
    engine = narrow._engine
    engine.submit([engine.pooled_request("wanted", prompt)])
    vectors = []
    for _ in range(5):
        assert engine.step() == []
    engine.submit(engine.requests_for("urgent", prompt, GREEDY, priority=1))
    while engine.has_work:
        vectors += [delta.embedding for _, delta in engine.step() if delta.embedding]
    assert engine.stats().preemptions == 1
    assert vectors == [pytest.approx(expected, abs=1e-5)]
    assert engine.stats().free_blocks == engine.stats().total_blocks


def test_what_could_never_become_a_vector(tiny: str) -> None:
    llm = llm_of(tiny)
    with pytest.raises(InputTooLongError, match=r"257 tokens .* 256") as failure:
        llm.embed([5] * 257)
    assert failure.value.param == "input"
    for nonsense in ([], [10**6], [-1]):
        with pytest.raises(RequestError):
            llm.embed([nonsense])
    assert len(llm.embed([5] * 256)[0]) == 64


async def test_streams_beside_it_say_what_they_say_alone(tiny: str) -> None:
    prompts = [[5, 6, 7], [8, 9], [10]]
    async with AsyncLLM(tiny, threads=1, max_running=4, max_batch_tokens=8) as llm:
        alone = [(await llm.generate(prompt, GREEDY)).token_ids for prompt in prompts]
        vector = await llm.embed(list(range(2, 102)))
        answers, vectors = await asyncio.gather(
            asyncio.gather(*(llm.generate(prompt, GREEDY) for prompt in prompts)),
            asyncio.gather(*(llm.embed(list(range(2, 102))) for _ in range(6))),
        )
        assert [answer.token_ids for answer in answers] == alone
        assert vectors == [pytest.approx(vector, abs=1e-5)] * 6


async def test_who_gives_up_frees_what_it_held(tiny: str) -> None:
    async with AsyncLLM(tiny, threads=1, max_running=4, max_batch_tokens=4) as llm:
        asking = asyncio.create_task(llm.embed(list(range(2, 252))))
        while not llm.stats().running:
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(10):
            while llm.stats().free_blocks < llm.stats().total_blocks:
                await asyncio.sleep(0.01)


def test_a_recording_of_it_is_planned_alike(tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    llm = llm_of(tiny, max_batch_tokens=8, trace_path=str(path))
    prompt = list(range(2, 102))
    llm.generate(prompt, GREEDY)
    llm.embed([prompt, prompt[:40]])
    assert '"pooled":true' in path.read_text()
    assert report(path) is None
