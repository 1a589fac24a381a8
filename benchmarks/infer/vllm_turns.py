"""vLLM's turns on the CPU, its engine in this process."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from benchmarks.infer.peer_dtype import fast_dtype
from benchmarks.infer.turns import Laps, Turn, serve

os.environ |= {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "0",  # one thread, on the first core
    "VLLM_NO_USAGE_STATS": "1",
}

_MORE_TOKENS = 256  # so that no sequence of a batch ends while others still read their prompts

Prompts = Sequence[Sequence[int]]


class VllmTurns:
    def __init__(self, model: str) -> None:
        from vllm import LLM

        llm = LLM(model, dtype=fast_dtype(), enforce_eager=True, max_model_len=1024)
        self._engine = llm.llm_engine
        self._count = 0

    def decode(self, prompts: Prompts, steps: int) -> dict[str, list[float]]:
        ids = self._submit(prompts, steps + _MORE_TOKENS)
        waiting = set(ids)
        while waiting:
            waiting -= {output.request_id for output in self._engine.step()}
        laps = Laps()
        for _ in range(steps):
            laps.time(self._engine.step)
        self._engine.abort_request(ids)
        while self._engine.has_unfinished_requests():
            self._engine.step()
        return laps.as_dict()

    def prefill(self, prompts: Prompts) -> dict[str, list[float]]:
        return self.generate(prompts, tokens=1)

    def generate(self, prompts: Prompts, tokens: int) -> dict[str, list[float]]:
        def run() -> None:
            self._submit(prompts, tokens)
            while self._engine.has_unfinished_requests():
                self._engine.step()

        laps = Laps()
        laps.time(run)
        return laps.as_dict()

    def by_name(self) -> dict[str, Turn]:
        return {"decode": self.decode, "prefill": self.prefill, "generate": self.generate}

    def _submit(self, prompts: Prompts, tokens: int) -> list[str]:
        from vllm import SamplingParams

        ids = []
        for prompt in prompts:
            params = SamplingParams(max_tokens=tokens, temperature=0.0, ignore_eos=True)
            words: Any = {"prompt_token_ids": list(prompt)}
            self._count += 1
            ids.append(str(self._count))
            self._engine.add_request(ids[-1], words, params)
        return ids


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.vllm_turns")
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    serve(lambda: VllmTurns(options.model).by_name())


if __name__ == "__main__":
    main()
