"""Decode speed at batch 1 on one thread: RayLM's int8, int4 and fp32 against transformers in bf16.

python -m benchmarks.infer.bench_decode [--model smollm2] [--tokens 64] [--rounds 5]

All contenders run in turn in every round of one process, so that a noisy machine is noisy for
each of them alike. A figure is the median over the rounds of the tokens per second after the first.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from raylm.core.sampling import SamplingParams
from raylm.infer.llm import LLM
from raylm.models.hf_config import hf_config
from raylm.models.source import ModelSource, open_model
from raylm_kernels.cpu import build

PROMPT = "The history of the steam engine begins in the first century, when Hero of Alexandria"
PEER = "transformers bf16"
BAR = 2.0

Contender = Callable[[list[int], int], None]  # generates so many tokens after a prompt


def main(arguments: Sequence[str] = ()) -> None:
    options = _options(arguments)
    source = open_model(options.model)
    contenders = _contenders(source)
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    prompt = source.tokenizer.encode(PROMPT)
    for number in range(options.rounds + 1):
        for name, generate in contenders.items():
            speed = _tokens_per_second(generate, prompt, options.tokens)
            if number > 0:  # the first is for warming up
                rounds[name].append(speed)
    result = _summary(options.model, options.tokens, rounds)
    _print(result)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {options.output}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.bench_decode")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("runs/bench_decode.json"))
    options = parser.parse_args(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    return options


def _contenders(source: ModelSource) -> dict[str, Contender]:
    available, reason = build.available()
    if not available:
        print(f"without int8 and int4: {reason}")
    packed = ("int4", "int8") if available else ()
    ours = {f"raylm {name}": _raylm(source, name) for name in packed}
    return {PEER: _transformers(source), **ours, "raylm fp32": _raylm(source, None)}


def _raylm(source: ModelSource, quantization: str | None) -> Contender:
    llm = LLM(source, quantization=quantization, threads=1, max_model_len=1024, prefix_cache=False)

    def generate(prompt: list[int], count: int) -> None:
        params = SamplingParams(max_tokens=count, temperature=0, ignore_eos=True)
        llm.generate([prompt], params)

    return generate


def _transformers(source: ModelSource) -> Contender:
    model = LlamaForCausalLM(LlamaConfig(**hf_config(source.spec)))
    model.load_state_dict(dict(source.weights), strict=False)
    model.tie_weights()
    model = model.to(torch.bfloat16).eval()

    @torch.inference_mode()
    def generate(prompt: list[int], count: int) -> None:
        torch.set_num_threads(1)
        ids = torch.tensor([prompt])
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
        )

    return generate


def _tokens_per_second(generate: Contender, prompt: list[int], tokens: int) -> float:
    """The prompt and the first token are timed alone and taken off."""
    return tokens / (_seconds(generate, prompt, tokens + 1) - _seconds(generate, prompt, 1))


def _seconds(generate: Contender, prompt: list[int], count: int) -> float:
    started = time.perf_counter()
    generate(prompt, count)
    return time.perf_counter() - started


def _summary(model: str, tokens: int, rounds: dict[str, list[float]]) -> dict[str, object]:
    medians = {name: statistics.median(speeds) for name, speeds in rounds.items()}
    return {
        "benchmark": "decode",
        "model": model,
        "tokens": tokens,
        "threads": 1,
        "batch": 1,
        "bar": BAR,
        "results": [
            {
                "name": name,
                "tokens_per_second": round(medians[name], 1),
                "lowest": round(min(speeds), 1),
                "highest": round(max(speeds), 1),
                "ratio": round(medians[name] / medians[PEER], 2),
            }
            for name, speeds in rounds.items()
        ],
    }


def _print(result: dict[str, object]) -> None:
    print(f"decode of {result['model']}, batch 1, 1 thread, {result['tokens']} tokens")
    print(f"{'':<20}{'tokens/s':>10}{'lowest':>10}{'highest':>10}{'ratio':>8}")
    for row in result["results"]:
        speeds = f"{row['tokens_per_second']:>10.1f}{row['lowest']:>10.1f}{row['highest']:>10.1f}"
        print(f"{row['name']:<20}{speeds}{row['ratio']:>7.2f}x")
    print(f"bar: int8 and int4 at least {BAR}x {PEER}")


if __name__ == "__main__":
    main(sys.argv[1:])
