"""Transformers' turns in its fastest format: a forward call a step, with its cache."""

import argparse
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.infer.peer_dtype import fast_dtype
from benchmarks.infer.turns import Laps, Turn, serve
from raylm.models.hf_config import hf_config
from raylm.models.source import open_model

Prompts = Sequence[Sequence[int]]


class TransformersTurns:
    def __init__(self, model: str, threads: int) -> None:
        torch.set_num_threads(threads)
        source = open_model(model)
        self._model = LlamaForCausalLM(LlamaConfig(**hf_config(source.spec)))
        self._model.load_state_dict(dict(source.weights), strict=False)
        self._model.tie_weights()
        self._model = self._model.to(getattr(torch, fast_dtype())).eval()

    @torch.inference_mode()
    def decode(self, prompts: Prompts, steps: int) -> dict[str, list[float]]:
        found, laps = self._run(torch.tensor(prompts)), Laps()
        for _ in range(steps):
            token, cache = found.logits[:, -1:].argmax(-1), found.past_key_values
            found = laps.time(lambda token=token, cache=cache: self._run(token, cache))
        return laps.as_dict()

    @torch.inference_mode()
    def prefill(self, prompts: Prompts) -> dict[str, list[float]]:
        laps = Laps()
        laps.time(lambda: self._run(torch.tensor(prompts)))
        return laps.as_dict()

    def by_name(self) -> dict[str, Turn]:
        return {"decode": self.decode, "prefill": self.prefill}

    def _run(self, ids: torch.Tensor, cache: Any = None) -> Any:
        return self._model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.transformers_turns")
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    serve(lambda: TransformersTurns(options.model, options.threads).by_name())


if __name__ == "__main__":
    main()
