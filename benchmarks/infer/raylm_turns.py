"""RayLM's turns: the engine's steps as `raylm.LLM` repeats them, and the C++ loop under them."""

import argparse
from collections.abc import Iterator, Sequence

import torch

from benchmarks.infer.turns import Laps, Turn, serve
from raylm.core.sampling import SamplingParams
from raylm.infer.load import load
from raylm.infer.runners.fallback import FallbackRunner
from raylm.infer.runners.packed import PackedRunner
from raylm_kernels.cpu.decoder import PackedDecoder

READ_STREAMS = (1, 4)
_MORE_TOKENS = 256  # so that no sequence of a batch ends while others still read their prompts

Figures = dict[str, list[float]]
Prompts = Sequence[Sequence[int]]


class EngineTurns:
    def __init__(self, model: str, quantization: str, head: str, threads: int) -> None:
        formats = {"quantization": quantization, "head_quantization": head}
        loaded = load(model, formats | {"threads": threads})
        fallback = loaded.engine._runner
        assert isinstance(fallback, FallbackRunner)
        runner = fallback.runner
        assert isinstance(runner, PackedRunner)
        self._engine = loaded.engine
        self._spec = loaded.source.spec
        self._decoder: PackedDecoder = runner._decoder  # the very arena that is served

    def decode(self, prompts: Prompts, steps: int) -> Figures:
        """Steps in which every sequence gains a token."""
        self._begin(prompts, steps)
        laps = Laps()
        for _ in range(steps):
            events = laps.time(self._engine.step)
            assert len(events) == len(prompts), "a step that is no pure decode was timed"
        self._abort()
        return laps.as_dict()

    def prefill(self, prompts: Prompts) -> Figures:
        """From a prompt's submission to its first token."""
        return self._whole(prompts, tokens=1)

    def generate(self, prompts: Prompts, tokens: int) -> Figures:
        """All prompts together, to the last token of the last."""
        return self._whole(prompts, tokens)

    def layers(self, prompts: Prompts, steps: int) -> dict[str, object]:
        """Steps of the engine, of the C++ call alone, and plain reads of the same weights, one
        after the other: what the machine does to one it does to all. `bytes` are a step's."""
        (prompt,) = prompts
        engine, bare, reads = Laps(), Laps(), [Laps() for _ in READ_STREAMS]
        self._begin(prompts, steps)
        decode = self._bare_decode(prompt, steps)
        for _ in range(steps):
            engine.time(self._engine.step)
            bare.time(lambda: next(decode))
            for streams, laps in zip(READ_STREAMS, reads, strict=True):
                laps.time(lambda count=streams: self._decoder.read_weights(count))
        self._abort()
        context = len(prompt) + (steps + 1) / 2
        cache_bytes = context * PackedRunner.token_bytes(self._spec)
        return {
            "engine": engine.as_dict(),
            "bare": bare.as_dict(),
            "reads": [laps.as_dict() for laps in reads],
            "weight_bytes": self._decoder.weight_bytes,
            "bytes": self._decoder.weight_bytes + cache_bytes,
        }

    def _bare_decode(self, prompt: Sequence[int], steps: int) -> Iterator[torch.Tensor]:
        """Greedy tokens, in the cache's last blocks."""
        length, end = len(prompt), self._decoder.num_blocks
        blocks = -(-(length + steps) // self._decoder.block_size)
        table = torch.arange(end - blocks, end, dtype=torch.int32)[None]
        positions = torch.arange(length, dtype=torch.int32)
        starts, rows = _int32([0, length]), _int32([length - 1])
        _, token = self._decoder.forward_top(_int32(prompt), positions, starts, table, rows)
        starts, rows, position = _int32([0, 1]), _int32([0]), _int32([length])
        while True:
            _, token = self._decoder.forward_top(token[0], position, starts, table, rows)
            yield token
            position += 1

    def negative_log_likelihood(self, windows: Prompts) -> float:
        """Of every token of each window but its first, summed; in nats."""
        return sum(self._window(torch.tensor(window)) for window in windows)

    def _window(self, tokens: torch.Tensor) -> float:
        length = len(tokens)
        everything = torch.arange(length, dtype=torch.int32)
        blocks = -(-length // self._decoder.block_size)
        logits = self._decoder.forward(
            tokens.int(),
            everything,
            _int32([0, length]),
            torch.arange(blocks, dtype=torch.int32)[None],
            everything,
        )
        return float(torch.nn.functional.cross_entropy(logits[:-1], tokens[1:], reduction="sum"))

    def _whole(self, prompts: Prompts, tokens: int) -> Figures:
        def run() -> None:
            self._submit(prompts, tokens)
            while self._engine.has_work:
                self._engine.step()

        laps = Laps()
        laps.time(run)
        return laps.as_dict()

    def by_name(self) -> dict[str, Turn]:
        names = ("decode", "prefill", "generate", "layers", "negative_log_likelihood")
        return {name: getattr(self, name) for name in names}

    def _begin(self, prompts: Prompts, steps: int) -> None:
        """Until every sequence has its first token."""
        waiting = set(self._submit(prompts, steps + _MORE_TOKENS))
        while waiting:
            waiting -= {request_id for request_id, _ in self._engine.step()}

    def _submit(self, prompts: Prompts, tokens: int) -> list[str]:
        params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        ids = [str(number) for number in range(len(prompts))]
        for request_id, prompt in zip(ids, prompts, strict=True):
            self._engine.submit(self._engine.requests_for(request_id, prompt, params))
        return ids

    def _abort(self) -> None:
        for request_id in self._engine.open_ids:
            self._engine.abort(request_id)


def _int32(values: Sequence[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.raylm_turns")
    parser.add_argument("--model", required=True)
    parser.add_argument("--quantization", choices=("int4", "int8"), required=True)
    parser.add_argument("--head", choices=("int4", "int8"), default="int8")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    formats = options.quantization, options.head
    serve(lambda: EngineTurns(options.model, *formats, options.threads).by_name())


if __name__ == "__main__":
    main()
