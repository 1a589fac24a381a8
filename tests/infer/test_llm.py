"""`raylm.LLM` on the default model, against transformers, and its calling conventions."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import raylm
from raylm.core.errors import RequestError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.infer.llm import LLM
from raylm.infer.sampling.outputs import RequestOutput
from raylm.models.hf_config import hf_config
from raylm.models.source import ModelSource, open_model
from raylm_kernels.cpu import build
from raylm_kernels.quantize import dequantize_weight, quantize_weight
from tests.infer.conftest import MemoryWeights

GREEDY = SamplingParams(max_tokens=24, temperature=0)

BEGINNINGS = [
    "Once upon a time",
    "The capital of Germany is",
    "def fibonacci(n):",
    "Water boils at",
    "The three primary colours are",
    "In 1969, Neil Armstrong",
    "To make bread you need",
    "The largest planet of the solar system",
    "import numpy as np\n",
    "Photosynthesis is the process",
]
QUESTIONS = [
    "What is the capital of France?",
    "Write a haiku about rain.",
    "How many legs has a spider?",
    "Name three animals that can fly.",
    "Explain gravity to a child.",
    "What is 2 + 2?",
    "Translate 'good morning' into Spanish.",
    "Who wrote Romeo and Juliet?",
    "Give me a recipe with eggs.",
    "Why is the sky blue?",
]


@pytest.fixture(scope="module")
def smollm2() -> ModelSource:
    return open_model("smollm2")


@pytest.fixture(scope="module")
def prompts(smollm2: ModelSource) -> list[list[int]]:
    assert smollm2.chat_template is not None
    chats = [smollm2.chat_template.render([{"role": "user", "content": q}]) for q in QUESTIONS]
    return [smollm2.tokenizer.encode(text) for text in BEGINNINGS + chats]


@pytest.fixture(scope="module")
def answers(smollm2: ModelSource, prompts: list[list[int]]) -> list[RequestOutput]:
    """What fp32 says, all prompts batched together and their prefills cut into chunks."""
    return LLM(smollm2, threads=1, max_batch_tokens=64).generate(prompts, GREEDY)


def test_greedy_answers_are_those_of_transformers(
    smollm2: ModelSource, answers: list[RequestOutput]
) -> None:
    assert_answers_of_transformers(smollm2, answers)
    assert any(answer.finish_reason is FinishReason.STOP for answer in answers)
    assert any("Paris" in answer.text for answer in answers)


@pytest.mark.slow
def test_thirty_more_answers_are_those_of_transformers(smollm2: ModelSource) -> None:
    topics = "tea rust bees snow jazz salt iron maps ants wind gold milk moss ice sand"
    texts = [f"{start} {topic}" for topic in topics.split() for start in ("About", "I like")]
    prompts = [smollm2.tokenizer.encode(text) for text in texts]
    assert len(prompts) == 30
    assert_answers_of_transformers(smollm2, LLM(smollm2, threads=1).generate(prompts, GREEDY))


@torch.no_grad()
def assert_answers_of_transformers(smollm2: ModelSource, answers: list[RequestOutput]) -> None:
    """One forward over prompt and answer shows every step of its greedy search at once."""
    reference = LlamaForCausalLM(LlamaConfig(**hf_config(smollm2.spec))).eval()
    reference.load_state_dict(dict(smollm2.weights), strict=False)
    reference.tie_weights()
    for answer in answers:
        ids = answer.prompt_token_ids + answer.token_ids
        logits = reference(torch.tensor([ids])).logits[0]
        chosen = logits.argmax(dim=-1).tolist()
        assert chosen[len(answer.prompt_token_ids) - 1 : -1] == answer.token_ids


@pytest.mark.skipif(not build.available()[0], reason=build.available()[1])
@pytest.mark.parametrize(
    "options",
    [
        {"quantization": "int8"},
        {"quantization": "int4"},
        {"quantization": "int8", "kv_cache_dtype": "int8"},
    ],
    ids=str,
)
def test_quantised_weights_nearly_always_choose_the_same_token(
    smollm2: ModelSource, answers: list[RequestOutput], options: dict[str, str]
) -> None:
    assert share_of_same_tokens(LLM(smollm2, threads=1, **options), answers) > 0.85


@pytest.mark.skipif(not build.available()[0], reason=build.available()[1])
def test_an_int4_head_chooses_the_tokens_of_its_rounded_matrix(
    smollm2: ModelSource, prompts: list[list[int]], answers: list[RequestOutput]
) -> None:
    name = "model.embed_tokens.weight"
    head = dequantize_weight(quantize_weight(smollm2.weights[name], 4))
    plain = replace(smollm2, weights=MemoryWeights(dict(smollm2.weights) | {name: head}))
    expected = LLM(plain, threads=1).generate(prompts[:10], replace(GREEDY, max_tokens=6))
    llm = LLM(smollm2, threads=1, quantization="int4", head_quantization="int4")
    share = share_of_same_tokens(llm, expected)
    assert share > 0.85
    assert share > share_of_same_tokens(llm, answers[:10])  # of a head that is not rounded


def share_of_same_tokens(llm: LLM, answers: list[RequestOutput]) -> float:
    """Where `llm` has said what the answers have said so far."""
    forced = [
        (answer.prompt_token_ids + answer.token_ids[:place], token)
        for answer in answers
        for place, token in enumerate(answer.token_ids[:6])
    ]
    found = llm.generate([context for context, _ in forced], replace(GREEDY, max_tokens=1))
    same = sum(
        output.token_ids == [token] for output, (_, token) in zip(found, forced, strict=True)
    )
    return same / len(forced)


@pytest.fixture(scope="module")
def llm(tiny_source: ModelSource) -> LLM:
    return LLM(tiny_source, threads=1, max_model_len=64)


def test_texts_and_token_ids_are_prompts(llm: LLM) -> None:
    ids = llm.tokenizer.encode("the quick fox")
    one = llm.generate("the quick fox", GREEDY)
    two = llm.generate(ids, GREEDY)
    both = llm.generate(["the quick fox", ids], GREEDY)
    assert [output.token_ids for output in both] == [one[0].token_ids, two[0].token_ids]
    assert one[0].prompt_token_ids == ids
    assert llm.generate([], GREEDY) == []


def test_each_prompt_may_have_its_own_params(llm: LLM) -> None:
    short, long = replace(GREEDY, max_tokens=2), replace(GREEDY, max_tokens=5, ignore_eos=True)
    outputs = llm.generate([[5, 6], [7, 8]], [short, long])
    assert [len(output.token_ids) for output in outputs] == [2, 5]
    with pytest.raises(RequestError, match="2 sampling params for 1 prompts"):
        llm.generate([[5, 6]], [short, long])


def test_a_seed_is_reproducible_in_any_company(llm: LLM) -> None:
    seeded = SamplingParams(max_tokens=12, temperature=1.5, seed=4, ignore_eos=True)
    other = replace(seeded, seed=None)
    alone = llm.generate([[5, 6]], seeded)[0].token_ids
    among = llm.generate([[9] * 20, [5, 6], [7]], [other, seeded, other])[1].token_ids
    assert alone == among
    assert alone != llm.generate([[5, 6]], replace(seeded, seed=5))[0].token_ids


@pytest.mark.skipif(not build.available()[0], reason=build.available()[1])
@pytest.mark.parametrize("speculation", ["none", "ngram"])
@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_a_token_of_quantised_weights_is_the_same_alone_in_company_and_from_the_cache(
    tiny_source: ModelSource, quantization: str, speculation: str
) -> None:
    """To the bit: in any batch, any chunks of its prompt, and whoever computed its beginning."""
    prompts = [[9] * 40, [5, 6] * 20, [5, 6] * 20 + [7], list(range(60)), [7]]
    params = SamplingParams(max_tokens=20, temperature=1.0, seed=3, logprobs=2, ignore_eos=True)
    options = {"quantization": quantization, "threads": 1}
    one = LLM(tiny_source, prefix_cache=False, **options)
    alone = [one.generate([prompt], params)[0] for prompt in prompts]
    crowd = LLM(tiny_source, max_running=4, max_batch_tokens=24, speculation=speculation, **options)
    for _ in range(2):  # the second time from the cache
        together = crowd.generate(prompts, params)
        assert [output.logprobs for output in together] == [output.logprobs for output in alone]


def test_n_completions_of_one_prompt(llm: LLM) -> None:
    params = SamplingParams(max_tokens=8, temperature=2.0, seed=1, n=4, ignore_eos=True)
    (output,) = llm.generate([[5, 6]], params)
    assert [completion.index for completion in output.completions] == [0, 1, 2, 3]
    assert len({completion.text for completion in output.completions}) == 4
    assert output.token_ids == llm.generate([[5, 6]], replace(params, n=1))[0].token_ids


def test_logprobs_of_every_token(llm: LLM) -> None:
    (output,) = llm.generate([[5, 6]], replace(GREEDY, logprobs=3))
    assert output.logprobs is not None
    assert [entry.token_id for entry in output.logprobs] == output.token_ids
    for entry in output.logprobs:
        assert next(iter(entry.top.items())) == (entry.token_id, pytest.approx(entry.logprob))


def test_chat_renders_the_template(llm: LLM) -> None:
    talk = [{"role": "user", "content": "fox"}]
    (output,) = llm.chat(talk, GREEDY)
    assert llm.tokenizer.decode(output.prompt_token_ids) == "<user>fox"
    assert [o.token_ids for o in llm.chat([talk, talk], GREEDY)] == [output.token_ids] * 2


def test_a_base_model_does_not_chat(tiny_source: ModelSource) -> None:
    base = LLM(replace(tiny_source, chat_template=None), threads=1)
    with pytest.raises(RequestError, match="raylm/tiny is a base model"):
        base.chat([{"role": "user", "content": "fox"}])


def test_an_interrupted_call_leaves_nothing_behind(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("raylm.infer.engine.take", interrupt)
        with pytest.raises(KeyboardInterrupt):
            llm.generate([[5, 6], [7, 8]], GREEDY)
    assert len(llm.generate([[5, 6]], replace(GREEDY, max_tokens=2))[0].token_ids) == 2


def test_it_is_the_public_name() -> None:
    assert raylm.LLM is LLM
