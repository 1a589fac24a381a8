import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raylm.core.errors import ConfigError, MissingDependencyError, ModelNotFoundError
from raylm.core.sampling import SamplingParams
from raylm.data.tokenizer import Tokenizer
from raylm.infer import load as loading
from raylm.infer.llm import LLM
from raylm.infer.load import load
from raylm.infer.runners.packed import PackedRunner
from raylm.infer.runners.runner import Runner, TorchRunner
from raylm.models.source import ModelSource
from raylm_kernels.cpu import build

needs_kernels = pytest.mark.skipif(not build.available()[0], reason=build.available()[1])


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Runner]:
    """The runners that engines are built around."""
    runners: list[Runner] = []
    engine = loading.Engine

    def watch(runner: Runner, *args: Any, **kwargs: Any) -> Any:
        runners.append(runner)
        return engine(runner, *args, **kwargs)

    monkeypatch.setattr(loading, "Engine", watch)
    return runners


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "available", lambda: (False, "no C++ compiler"))


@needs_kernels
@pytest.mark.parametrize("quantization", ["auto", "int8", "int4"])
def test_quantised_weights_run_packed(
    tiny_source: ModelSource, built: list[Runner], quantization: str
) -> None:
    load(tiny_source, {"quantization": quantization})
    assert [type(fallback.runner) for fallback in built] == [PackedRunner]


@pytest.mark.parametrize("quantization", [None, "none"])
def test_no_quantisation_runs_on_torch(
    tiny_source: ModelSource, built: list[Runner], quantization: str | None
) -> None:
    load(tiny_source, {"quantization": quantization})
    assert [type(runner) for runner in built] == [TorchRunner]


@pytest.mark.usefixtures("no_compiler")
def test_auto_without_kernels_warns_once_and_serves_fp32(
    tiny_source: ModelSource, built: list[Runner], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load(tiny_source, {})
    assert [type(runner) for runner in built] == [TorchRunner]
    (record,) = caplog.records
    assert "without quantization" in record.getMessage()
    assert "no C++ compiler" in record.getMessage()


@pytest.mark.usefixtures("no_compiler")
def test_int8_without_kernels_is_an_error(tiny_source: ModelSource) -> None:
    with pytest.raises(MissingDependencyError, match="no C\\+\\+ compiler"):
        load(tiny_source, {"quantization": "int8"})


@needs_kernels
@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"hidden_size": 72}, {}, "do not cover this model: hidden_size is 72"),
        ({}, {"block_size": 8}, "block_size 8"),
    ],
)
def test_what_the_kernels_cannot_run_is_named(
    tiny_source: ModelSource, changes: dict[str, int], options: dict[str, int], message: str
) -> None:
    source = replace(tiny_source, spec=replace(tiny_source.spec, **changes))
    with pytest.raises(ConfigError, match=message):
        load(source, {"quantization": "int4", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int9"}, "key 'quantization' \\(value 'int9'\\)"),
        ({"head_quantization": "int3"}, "key 'head_quantization' \\(value 'int3'\\).*'int4'"),
        ({"treads": 2}, "did you mean 'threads'"),
        ({"max_model_len": 5000}, "max_model_len 5000 is more than the model's context of 1024"),
        ({"kv_cache_bytes": 4096, "max_model_len": 512}, "kv_cache_bytes 4096 is too little"),
        ({"kv_cache_bytes": 1}, "kv_cache_bytes 1 is too little"),
        ({"max_batch_tokens": 4}, "max_batch_tokens 4 is less than max_running 32"),
    ],
)
def test_a_bad_option_names_the_key_and_the_remedy(
    tiny_source: ModelSource, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tiny_source, {"quantization": "none", **options})


@needs_kernels
def test_an_int8_cache_holds_nearly_twice_the_tokens(tiny_source: ModelSource) -> None:
    spec = tiny_source.spec
    wide = replace(spec, head_dim=64)
    assert 1.8 < PackedRunner.token_bytes(wide) / PackedRunner.token_bytes(wide, 8) < 2
    options = {"quantization": "int8", "kv_cache_bytes": 400_000, "kv_cache_dtype": "int8"}
    blocks = load(tiny_source, options).engine.stats().total_blocks
    assert blocks == 400_000 // (16 * PackedRunner.token_bytes(spec, 8))


@pytest.mark.parametrize(
    ("key", "value"), [("kv_cache_dtype", "int8"), ("head_quantization", "int4")]
)
def test_what_only_the_kernels_have_needs_quantised_weights(
    tiny_source: ModelSource, key: str, value: str
) -> None:
    message = f"{key} {value} comes with int8 or int4 weights; quantization is none.*{key} auto"
    with pytest.raises(ConfigError, match=message):
        load(tiny_source, {"quantization": "none", key: value})


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize(
    ("key", "value"), [("kv_cache_dtype", "int8"), ("head_quantization", "int4")]
)
def test_what_only_the_kernels_have_has_no_fallback(
    tiny_source: ModelSource, key: str, value: str
) -> None:
    with pytest.raises(MissingDependencyError, match=r"no C\+\+ compiler"):
        load(tiny_source, {key: value})


@needs_kernels
@pytest.mark.parametrize(("head", "bits"), [("auto", 8), ("int8", 8), ("int4", 4)])
def test_the_head_is_int8_unless_asked_for(
    tiny_source: ModelSource, built: list[Runner], head: str, bits: int
) -> None:
    load(tiny_source, {"quantization": "int4", "head_quantization": head})
    (fallback,) = built
    assert fallback.runner._decoder.head_bits == bits  # type: ignore[attr-defined]


def test_int8_on_a_gpu_is_an_error(tiny_source: ModelSource) -> None:
    with pytest.raises(ConfigError, match="run on the cpu, not on 'cuda'"):
        load(tiny_source, {"quantization": "int8"}, device="cuda")


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="smollm3"):
        load("smollm3", {})


def test_the_context_is_cut_to_what_the_cache_holds(tiny_source: ModelSource) -> None:
    spec = tiny_source.spec
    token_bytes = 2 * spec.num_layers * spec.num_kv_heads * spec.head_dim * 4
    options = {"quantization": "none", "kv_cache_bytes": 100 * token_bytes}
    engine = load(tiny_source, options).engine
    assert engine.max_model_len == 96
    assert engine.stats().total_blocks == 6


def test_no_more_cache_than_could_be_used(tiny_source: ModelSource) -> None:
    options = {"quantization": "none", "max_model_len": 64, "max_running": 3}
    assert load(tiny_source, options).engine.stats().total_blocks == 3 * 4


def test_a_model_has_the_name_it_is_served_by(tiny_source: ModelSource) -> None:
    assert load(tiny_source, {"quantization": "none"}).model_name == "raylm/tiny"
    assert load(tiny_source, {"quantization": "none", "name": "mine"}).model_name == "mine"


@pytest.mark.parametrize("split", ["tensor_parallel", "pipeline_parallel"])
def test_a_split_model_needs_who_makes_its_workers(tiny_source: ModelSource, split: str) -> None:
    with pytest.raises(
        ConfigError, match=f"{split} 2.* need worker processes; give runner_factory"
    ):
        load(tiny_source, {"quantization": "none", split: 2})


def test_workers_read_the_model_themselves(tiny_source: ModelSource) -> None:
    with pytest.raises(ConfigError, match="give its name or path instead of an open one"):
        load(tiny_source, {"tensor_parallel": 2}, runner_factory=never_called)


def test_quantised_weights_are_not_split(tiny_source: ModelSource) -> None:
    with pytest.raises(ConfigError, match=r"int8 and int4 weights run in one process.*none"):
        load(tiny_source, {"tensor_parallel": 2, "quantization": "int4"})


def never_called(*args: Any) -> Any:
    raise AssertionError("nothing is to be started")


def test_guesses_change_no_answer(tiny_source: ModelSource) -> None:
    prompts = [[5, 6, 7, 8] * 4, list(range(30))]
    wanted = SamplingParams(max_tokens=40, seed=1, temperature=0.5, ignore_eos=True)

    def answers(**options: Any) -> list[list[int]]:
        llm = LLM(tiny_source, threads=1, **options)
        return [output.token_ids for output in llm.generate(prompts, wanted)]

    assert answers(speculation="ngram") == answers()


@pytest.fixture
def draft(monkeypatch: pytest.MonkeyPatch, tiny_source: ModelSource) -> None:
    """What `draft_model` names."""
    monkeypatch.setattr(loading, "open_model_or_run", lambda name: tiny_source)


@pytest.mark.usefixtures("draft")
def test_a_draft_model_guesses(tiny_source: ModelSource) -> None:
    options = {"quantization": "none", "threads": 1}
    drafting = {"speculation": "draft", "draft_model": "small", "draft_tokens": 2}
    wanted = SamplingParams(max_tokens=20, temperature=0, ignore_eos=True)
    plain, guessing = load(tiny_source, options), load(tiny_source, options | drafting)
    found: list[list[int]] = []
    for engine in (plain.engine, guessing.engine):
        engine.submit(engine.requests_for("r", [5, 6, 7], wanted))
        tokens: list[int] = []
        while engine.has_work:
            tokens += [token for _, delta in engine.step() for token in delta.token_ids]
        found.append(tokens)
    assert found[0] == found[1]
    stats = guessing.engine.stats()
    assert stats.held_tokens == stats.guessed_tokens > 0  # of the model itself


@pytest.mark.usefixtures("draft")
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"draft_model": None}, "give draft_model"),
        ({"tokenizer": Tokenizer.train_bpe(["other"], 300)}, {}, "another vocabulary"),
        ({}, {"max_model_len": 1024}, "context of 512, less than 1024"),
    ],
)
def test_a_draft_that_does_not_fit_is_named(
    tiny_source: ModelSource, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    small = replace(tiny_source, spec=replace(tiny_source.spec, max_positions=512))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "open_model_or_run", lambda name: replace(small, **change))
        with pytest.raises(ConfigError, match=message):
            load(tiny_source, {"speculation": "draft", "draft_model": "small"} | options)
