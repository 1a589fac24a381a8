"""llama.cpp's turns: `llama_decode` and the largest logit, without its server or its samplers."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.infer.llama_cpp import Context, Model
from benchmarks.infer.turns import Laps, Turn, serve

LENGTH = 1024  # tokens of a sequence

Prompts = Sequence[Sequence[int]]


class LlamaCppTurns:
    def __init__(self, model: Path, threads: int) -> None:
        self._model = Model(model)
        self._threads = threads
        self._contexts: dict[int, Context] = {}

    def decode(self, prompts: Prompts, steps: int) -> dict[str, list[float]]:
        """Steps in which every sequence gains a token."""
        context, count = self._context(len(prompts)), len(prompts)
        tokens = [self._prefill(context, row, prompt) for row, prompt in enumerate(prompts)]
        lengths = [len(prompt) for prompt in prompts]
        laps = Laps()
        for step in range(steps):
            positions = [length + step for length in lengths]

            def run(tokens: list[int] = tokens, positions: list[int] = positions) -> list[int]:
                context.decode(tokens, positions, range(count), [True] * count)
                return [int(context.logits(row).argmax()) for row in range(count)]

            tokens = laps.time(run)
        return laps.as_dict()

    def prefill(self, prompts: Prompts) -> dict[str, list[float]]:
        """A prompt to its first token."""
        context, laps = self._context(1), Laps()
        laps.time(lambda: self._prefill(context, 0, prompts[0]))
        return laps.as_dict()

    def negative_log_likelihood(self, windows: Prompts) -> float:
        """Of every token of each window but its first, summed; in nats."""
        return sum(self._window(window) for window in windows)

    def by_name(self) -> dict[str, Turn]:
        names = ("decode", "prefill", "negative_log_likelihood")
        return {name: getattr(self, name) for name in names}

    def _window(self, tokens: Sequence[int]) -> float:
        context, count = self._context(1), len(tokens)
        context.decode(tokens, range(count), [0] * count, [True] * count)
        total = 0.0
        for row, token in enumerate(tokens[1:]):
            logits = context.logits(row).astype(np.float64)
            highest = logits.max()
            total += highest + np.log(np.exp(logits - highest).sum()) - logits[token]
        return float(total)

    def _prefill(self, context: Context, sequence: int, prompt: Sequence[int]) -> int:
        count = len(prompt)
        wanted = [False] * (count - 1) + [True]
        context.decode(prompt, range(count), [sequence] * count, wanted)
        return int(context.logits(count - 1).argmax())

    def _context(self, sequences: int) -> Context:
        if sequences not in self._contexts:
            self._contexts[sequences] = Context(self._model, sequences, LENGTH, self._threads)
        self._contexts[sequences].clear()
        return self._contexts[sequences]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.llama_cpp_turns")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    serve(lambda: LlamaCppTurns(options.model, options.threads).by_name())


if __name__ == "__main__":
    main()
