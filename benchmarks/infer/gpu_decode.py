"""Decode on a GPU: the engine with and without recorded steps, and with and without running ahead
of the tokens it has drawn, beside transformers, eager and by torch.compile.

    PYTHONPATH=.:kernels:apps python3 -m benchmarks.infer.gpu_decode [--compile] [--output FILE]
    PYTHONPATH=.:kernels:apps python3 -m benchmarks.infer.gpu_decode --quick

A Llama of random bf16 weights. All contenders take turns in every round; a figure is the median of
the tokens per second after the first. The bound is the time in which a copy of the same bytes,
which reads and writes, would move the weights once.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, StaticCache
from transformers.generation.configuration_utils import CompileConfig

from benchmarks.infer import gpu_layer
from benchmarks.infer.gpu_model import BLOCK_SIZE, PROMPT_TOKENS, SPEC
from raylm.core.sampling import SamplingParams
from raylm.data.tokenizer import Tokenizer
from raylm.infer.engine import Engine
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import Runner, TorchRunner
from raylm.infer.sampling.likeliest import Likeliest
from raylm.infer.scheduling.scheduler import Limits
from raylm.models.decoder import Decoder
from raylm.models.hf_config import hf_config
from raylm_kernels.triton.overlap import overlapping

PEER = "transformers"
COMPILED = "torch.compile"
OURS = "recorded, ahead"
BARS = {PEER: 5.0, COMPILED: 1.5}  # times as fast at batch 1
OF_BOUND = 0.70

Generate = Callable[[int, int], None]  # sequences, and tokens of each


class WithoutLead:
    """A runner whose tokens are read before the next step begins."""

    lead = 0

    def __init__(self, runner: Runner) -> None:
        self.num_blocks, self.block_size = runner.num_blocks, runner.block_size
        self._runner = runner

    def forward(self, batch: Batch) -> torch.Tensor:
        return self._runner.forward(batch)

    def likeliest(self, batch: Batch) -> Likeliest:
        return self._runner.likeliest(batch)


def engine(runner: Runner) -> Generate:
    words = {f"{token} ": token for token in range(SPEC.vocab_size)}
    tokenizer = Tokenizer(tokenizers.Tokenizer(WordLevel(words, unk_token="0 ")))
    built = Engine(
        runner,
        tokenizer,
        vocab_size=SPEC.vocab_size,
        max_model_len=SPEC.max_positions,
        limits=Limits(max_running=64, max_batch_tokens=8192),
    )

    def generate(sequences: int, tokens: int) -> None:
        params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        for number in range(sequences):
            prompt = list(range(100 + number, 100 + number + PROMPT_TOKENS))
            built.submit(built.requests_for(str(number), prompt, params))
        while built.has_work:
            built.step()

    return generate


def transformers(decoder: Decoder) -> LlamaForCausalLM:
    with torch.device("cuda"):
        model = LlamaForCausalLM(LlamaConfig(**hf_config(SPEC))).to(torch.bfloat16).eval()
    model.load_state_dict(decoder.state_dict(), strict=False)
    model.tie_weights()
    return model


def eager(model: LlamaForCausalLM) -> Generate:
    return torch.inference_mode()(partial(_generate, model))


def compiled(model: LlamaForCausalLM) -> Generate:
    """Compiled by `generate` itself, as it does where the cache is static."""
    caches: dict[int, StaticCache] = {}

    def generate(sequences: int, tokens: int) -> None:
        if sequences not in caches:
            caches[sequences] = StaticCache(config=model.config, max_cache_len=1024)
        caches[sequences].reset()
        _generate(
            model,
            sequences,
            tokens,
            past_key_values=caches[sequences],
            compile_config=CompileConfig(mode="reduce-overhead"),
        )

    return generate


def _generate(model: LlamaForCausalLM, sequences: int, tokens: int, **options: Any) -> None:
    prompts = torch.arange(PROMPT_TOKENS, device=model.device).repeat(sequences, 1)
    model.generate(
        prompts + torch.arange(100, 100 + sequences, device=model.device)[:, None],
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        pad_token_id=0,
        **options,
    )


def contenders(options: argparse.Namespace) -> dict[str, Generate]:
    torch.manual_seed(0)
    with torch.device("cuda"):
        decoder = Decoder(SPEC).to(torch.bfloat16)
    model = transformers(decoder)
    sizes = {"num_blocks": 2048, "block_size": BLOCK_SIZE, "threads": 1}
    recorded = TorchRunner(decoder, **sizes)
    found = {PEER: eager(model), OURS: engine(recorded)}
    found["overlapping"] = overlapping()(engine(TorchRunner(decoder, **sizes)))
    if options.compile:
        found[COMPILED] = compiled(model)
    if not options.quick:
        plain = TorchRunner(decoder, graphs=False, **sizes)
        found["one by one"] = engine(WithoutLead(plain))
        found["one by one, ahead"] = engine(plain)
        found["recorded"] = engine(WithoutLead(recorded))
    return found


def seconds(generate: Generate, sequences: int, tokens: int) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    generate(sequences, tokens)
    torch.cuda.synchronize()
    return time.perf_counter() - started


def copied_bytes_per_second() -> float:
    """Read and written."""
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    target.copy_(source)
    started.record()
    for _ in range(20):
        target.copy_(source)
    ended.record()
    torch.cuda.synchronize()
    return 20 * 2 * source.numel() / (started.elapsed_time(ended) / 1e3)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    named = contenders(options)
    weight_bytes = 2 * sum(math.prod(shape) for _, shape in SPEC.parameters())
    bound = copied_bytes_per_second() / weight_bytes
    rows = []
    for batch in options.batches:
        speeds: dict[str, list[float]] = {name: [] for name in named}
        for number in range(options.rounds + 1):
            for name, generate in named.items():
                taken = seconds(generate, batch, options.tokens + 1) - seconds(generate, batch, 1)
                if number > 0:  # the first is for warming up
                    speeds[name].append(batch * options.tokens / taken)
        medians = {name: statistics.median(found) for name, found in speeds.items()}
        rows += [
            {
                "batch": batch,
                "name": name,
                "tokens_per_second": round(speed, 1),
                "times_transformers": round(speed / medians[PEER], 2),
                "of_bound": round(speed / batch / bound, 3),
            }
            for name, speed in medians.items()
        ]
    return {
        "benchmark": "gpu_decode",
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "parameters": weight_bytes // 2,
        "context": PROMPT_TOKENS + options.tokens,
        "steps_per_second_bound": round(bound, 1),
        "results": rows,
        "layer": gpu_layer.measure(),
    }


def told(rows: list[dict[str, Any]]) -> str:
    """Whether the bars are met at batch 1."""
    speeds = {row["name"]: row for row in rows if row["batch"] == 1}
    if OURS not in speeds:
        return ""
    ours = speeds[OURS]
    times = {
        peer: (ours["tokens_per_second"] / speeds[peer]["tokens_per_second"], bar)
        for peer, bar in BARS.items()
        if peer in speeds
    } | {"the bound": (ours["of_bound"], OF_BOUND)}
    parts = [
        f"{found:.2f} of {peer} (bar {bar}, {'met' if found >= bar else 'missed'})"
        for peer, (found, bar) in times.items()
    ]
    return f"{OURS} at batch 1: {', '.join(parts)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="transformers by torch.compile, too")
    parser.add_argument(
        "--quick", action="store_true", help="a minute: the fastest of ours, 48 tokens, 2 rounds"
    )
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.tokens, options.rounds = 48, 2
    result = measure(options)
    print(f"{result['device']}, {result['parameters'] / 1e9:.2f}e9 parameters in bf16")
    print(f"{'':<6}{'':<20}{'tokens/s':>10}{'transformers x':>16}{'of bound':>10}")
    for row in result["results"]:
        print(
            f"{row['batch']:<6}{row['name']:<20}{row['tokens_per_second']:>10.1f}"
            f"{row['times_transformers']:>16.2f}{row['of_bound']:>10.3f}"
        )
    print(told(result["results"]))
    print(gpu_layer.told(result["layer"]))
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
