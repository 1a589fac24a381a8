"""One decoder layer at a decode step of one sequence: the kernels it launches and the time it
takes, beside transformers' eager layer.

    PYTHONPATH=.:kernels:apps python3 -m benchmarks.infer.gpu_layer
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from transformers import DynamicCache, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from benchmarks.infer.gpu_model import BLOCK_SIZE, PROMPT_TOKENS, SPEC
from raylm.infer.runners.decode_inputs import DecodeInputs
from raylm.infer.runners.fused_attention import FusedAttention
from raylm.infer.runners.fused_decoder import FusedDecoder
from raylm.models.decoder import Decoder
from raylm.models.hf_config import hf_config
from raylm_kernels.triton.overlap import overlapping

FEWER, FASTER = 0.5, 1.5  # the bars
_CALLS = 50

Step = Callable[[], torch.Tensor]


def eager() -> Step:
    config = LlamaConfig(**hf_config(SPEC), attn_implementation="sdpa")
    with torch.device("cuda"):
        layer = LlamaDecoderLayer(config, 0).to(torch.bfloat16).eval()
        rotary = LlamaRotaryEmbedding(config)
        x = torch.randn(1, 1, SPEC.hidden_size, dtype=torch.bfloat16)
        positions = torch.full((1, 1), PROMPT_TOKENS)
        past = torch.randn(1, SPEC.num_kv_heads, PROMPT_TOKENS, SPEC.head_dim, dtype=x.dtype)
    cache = DynamicCache(config=config)
    cache.update(past, past, 0)
    rotation = rotary(x, positions)
    return lambda: layer(
        x, position_ids=positions, past_key_values=cache, position_embeddings=rotation
    )


def fused() -> Step:
    blocks = PROMPT_TOKENS // BLOCK_SIZE + 1
    with torch.device("cuda"):
        decoder = Decoder(dataclasses.replace(SPEC, num_layers=1)).to(torch.bfloat16)
        x = torch.randn(1, SPEC.hidden_size, dtype=torch.bfloat16)
        shape = (1, 2, blocks * BLOCK_SIZE, SPEC.num_kv_heads, SPEC.head_dim)
        cache = torch.randn(shape, dtype=x.dtype)
    inputs = DecodeInputs.empty(1, 1, blocks, "cuda")
    inputs.positions_S.fill_(PROMPT_TOKENS)
    inputs.slots_S.fill_(PROMPT_TOKENS)
    inputs.lengths_S.fill_(PROMPT_TOKENS + 1)
    inputs.block_tables_SB.copy_(torch.arange(blocks)[None])
    layers = FusedDecoder(decoder)
    attention = FusedAttention.of_decodes(inputs, cache, BLOCK_SIZE)
    return lambda: layers.layer(0, x, attention)


def recorded(step: Step) -> Step:
    step()  # loads kernels, which a recording may not
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay


def kernels(step: Step) -> list[str]:
    """The names of those that a call launches."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        step()
        torch.cuda.synchronize()
    return [event.name for event in profiled.events() if event.device_type == DeviceType.CUDA]


def microseconds(step: Step) -> float:
    """Of a call, of many one after another."""
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(_CALLS):
        step()
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended)) * 1e3 / _CALLS


@torch.inference_mode()
def measure() -> dict[str, Any]:
    steps = {"eager": eager(), "fused": fused()}
    for step in steps.values():
        for _ in range(5):
            step()
    names = {name: kernels(step) for name, step in steps.items()}
    steps["recorded"] = recorded(steps["fused"])
    with overlapping():
        steps["overlapping"] = recorded(steps["fused"])
    times = {name: [microseconds(step) for step in steps.values()] for name in ("first", "last")}
    best = [min(pair) for pair in zip(*times.values(), strict=True)]
    took = dict(zip(steps, best, strict=True))
    return {
        "kernels": {name: len(found) for name, found in names.items()},
        "fused_kernels": names["fused"],
        "microseconds": {name: round(time, 1) for name, time in took.items()},
        "fewer_kernels": round(1 - len(names["fused"]) / len(names["eager"]), 3),
        "times_eager": {name: round(took["eager"] / time, 2) for name, time in took.items()},
    }


def told(found: dict[str, Any]) -> str:
    fewer, times = found["fewer_kernels"], found["times_eager"]
    return (
        f"a layer at batch 1: {found['kernels']['fused']} kernels for eager's "
        f"{found['kernels']['eager']} ({fewer:.0%} fewer; bar {FEWER:.0%}), {times['fused']} times "
        f"as fast launched one by one, {times['recorded']} recorded (bar {FASTER}), "
        f"{times['overlapping']} overlapping"
    )


def main() -> None:
    found = measure()
    print(json.dumps(found, indent=2))
    print(told(found))


if __name__ == "__main__":
    main()
