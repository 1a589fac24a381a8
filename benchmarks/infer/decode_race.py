"""The race: who runs, what each does in a round, and the figures of all rounds."""

import math
import os
import random
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.infer.contender import Contender
from benchmarks.infer.decode_rows import (
    INT4,
    INT4_HEAD,
    INT4_PAIR,
    INT8,
    Q4_0,
    Q8_0,
    TRANSFORMERS,
    VLLM,
)

Contenders = Mapping[str, Contender]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """Tokens; `slow_steps` are those of peers of which a step takes long."""

    rounds: int
    context: int
    steps: int
    slow_steps: int
    prefill: int
    shared_prefix: int
    requests: int
    answer: int
    window: int
    windows: int


FULL = Size(5, 256, 64, 16, 512, 400, 32, 16, 512, 4)
QUICK = Size(1, 32, 4, 2, 64, 48, 4, 4, 64, 1)
_SUFFIX = 16  # what a request says after the shared prefix


@dataclass(frozen=True)
class Turn:
    """`prompts` of `length` tokens and, to decode, so many steps."""

    contender: str
    turn: str
    prompts: int
    length: int
    steps: int = 0

    @property
    def figure(self) -> str:
        return f"{self.contender} {self.turn}" + (f" {self.prompts}" * (self.turn == "decode"))


def turns(size: Size) -> list[Turn]:
    """Of a round, in order."""

    def decode(name: str, prompts: int, steps: int) -> Turn:
        return Turn(name, "decode", prompts, size.context, steps)

    return [
        decode(INT4, 1, size.steps),
        decode(Q4_0, 1, size.steps),
        decode(INT4_HEAD, 1, size.steps),
        decode(INT4_PAIR, 1, size.steps),
        decode(INT8, 1, size.steps),
        decode(Q8_0, 1, size.steps),
        decode(TRANSFORMERS, 1, size.slow_steps),
        decode(INT4, 8, size.slow_steps),
        decode(Q4_0, 8, size.slow_steps),
        decode(VLLM, 8, size.slow_steps),
        *(Turn(name, "prefill", 1, size.prefill) for name in (INT4, Q4_0, TRANSFORMERS, VLLM)),
    ]


class Race:
    """`figures` holds tokens/s (seconds for what is a total) by the CPU's clock, and by the wall's
    under the name with `(wall)`."""

    def __init__(self, contenders: Contenders, size: Size, vocab_size: int, say: Say) -> None:
        self.figures: dict[str, list[float]] = defaultdict(list)
        self._contenders = contenders
        self._size = size
        self._vocab_size = vocab_size
        self._say = say

    def run(self) -> None:
        plan = [turn for turn in turns(self._size) if turn.contender in self._contenders]
        for number in range(self._size.rounds + 1):
            self._say("warming up" if number == 0 else f"round {number}")
            order = plan if number % 2 else plan[::-1]  # so that a drift cancels out
            for turn in order:
                self._take(turn, seed=number)
            self._measure_layers(seed=number)
            self._share_prefix(seed=number)
            if number == 0:
                self.figures.clear()
        self._decode_among_others()

    def perplexity(self, tokens: Sequence[int]) -> None:
        """Of all who can tell, by windows of the same text."""
        length = self._size.window
        starts = range(0, length * self._size.windows, length)
        windows = [list(tokens[start : start + length]) for start in starts]
        predicted = sum(len(window) - 1 for window in windows)
        for name in (INT4, INT4_HEAD, INT8, Q4_0, Q8_0):
            if name in self._contenders:
                self._say(f"perplexity of {name}")
                nats = self._contenders[name].take("negative_log_likelihood", windows=windows)
                self.figures[f"{name} perplexity"].append(math.exp(nats / predicted))

    def _take(self, turn: Turn, seed: int) -> None:
        prompts = [self._prompt(turn.length, seed, row) for row in range(turn.prompts)]
        steps = {"steps": turn.steps} if turn.steps else {}
        contender = self._contenders[turn.contender]
        laps = contender.take(turn.turn, prompts=prompts, **steps)
        tokens = turn.prompts if turn.steps else turn.length
        self._note(turn.figure, laps, lambda seconds: tokens / statistics.median(seconds))

    def _measure_layers(self, seed: int) -> None:
        """The engine over the C++ loop over the memory."""
        for name in (INT4, INT8):
            prompts = [self._prompt(self._size.context, seed, 0)]
            found = self._contenders[name].take("layers", prompts=prompts, steps=self._size.steps)
            fastest_s = min(statistics.median(read["cpu_s"]) for read in found["reads"])
            bandwidth = found["weight_bytes"] / fastest_s
            self.figures[f"{name} GB/s"].append(bandwidth / 1e9)
            self.figures[f"{name} bound"].append(bandwidth / found["bytes"])
            for layer in ("bare", "engine"):
                speed = 1 / statistics.median(found[layer]["cpu_s"])
                self.figures[f"{name} {layer}"].append(speed)

    def _share_prefix(self, seed: int) -> None:
        size = self._size
        prefix = self._prompt(size.shared_prefix, seed, 0)
        prompts = [prefix + self._prompt(_SUFFIX, seed, 1 + row) for row in range(size.requests)]
        for name in (INT4, VLLM):
            if name in self._contenders:
                laps = self._contenders[name].take("generate", prompts=prompts, tokens=size.answer)
                self._note(f"{name} shared prefix", laps, sum)

    def _decode_among_others(self) -> None:
        """One thread and two while other programs keep every core busy: means, not medians, since
        a thread that waits for its turn shows in few steps."""
        if INT4_PAIR not in self._contenders:
            return
        self._say("one thread and two, all cores busy")
        with _busy_cores():
            for number in range(self._size.rounds):
                for name in (INT4, INT4_PAIR):
                    prompts = [self._prompt(self._size.context, number, 0)]
                    steps = self._size.steps
                    laps = self._contenders[name].take("decode", prompts=prompts, steps=steps)
                    self._note(f"{name} busy", laps, lambda seconds: len(seconds) / sum(seconds))

    def _note(
        self,
        figure: str,
        laps: Mapping[str, list[float]],
        figure_of: Callable[[list[float]], float],
    ) -> None:
        self.figures[figure].append(figure_of(laps["cpu_s"]))
        self.figures[f"{figure} (wall)"].append(figure_of(laps["wall_s"]))

    def _prompt(self, length: int, seed: int, row: int) -> list[int]:
        """Random tokens, new in each round, so that no prefix is cached that should not be."""
        draw = random.Random(f"{seed} {row} {length}")
        return [draw.randrange(self._vocab_size) for _ in range(length)]


@contextmanager
def _busy_cores() -> Iterator[None]:
    command = [sys.executable, "-c", "while True: pass"]
    programs = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()
