"""The packed decoder at SmolLM2-135M's shape, beside its bandwidth bound and torch's bf16 linears.

    python -m benchmarks.kernels.bench_decoder --threads 1 --context 256

Every round measures each row once, and the probe (a plain read of the same weights, the faster of
one stream and four) beside it, so that a machine whose speed drifts distorts the ratios little. One
thread is timed by its CPU clock. Torch's row runs the linear layers and the head alone: no
attention, no norms.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from rich.console import Console
from rich.table import Table

from raylm_kernels.cpu.decoder import DecoderDims, PackedDecoder

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 576, 1536, 30, 9, 3, 64, 49152
KV_BYTES_PER_POSITION = LAYERS * 2 * KV_HEADS * HEAD_DIM * 2
BLOCK = 16
READ_STREAMS = (1, 4)
MATRICES = {
    "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
    "self_attn.k_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
    "self_attn.v_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
    "mlp.gate_proj": (INNER, HIDDEN),
    "mlp.up_proj": (INNER, HIDDEN),
    "mlp.down_proj": (HIDDEN, INNER),
}


@dataclass
class Row:
    """One measurement: `step` makes `tokens` tokens; each probe streams what it must read."""

    name: str
    tokens: int
    step: Callable[[], object]
    probes: Sequence[Callable[[], object]] = ()
    bytes_read: int = 0
    weight_bytes: int = 0
    steps_s: list[float] = field(default_factory=list)
    probes_s: list[list[float]] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / statistics.median(self.steps_s)

    @property
    def fraction_of_bound(self) -> float | None:
        if not self.probes:
            return None
        return self.bytes_read / self.bandwidth / statistics.median(self.steps_s)

    @property
    def bandwidth(self) -> float:
        """Bytes a second, of the fastest probe."""
        return self.weight_bytes / min(map(statistics.median, zip(*self.probes_s, strict=True)))


def dims() -> DecoderDims:
    inv_freq = 100_000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    return DecoderDims(
        vocab_size=VOCAB,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_layers=LAYERS,
        num_heads=HEADS,
        num_kv_heads=KV_HEADS,
        head_dim=HEAD_DIM,
        norm_eps=1e-5,
        inv_freq=inv_freq,
    )


def random_weights() -> dict[str, torch.Tensor]:
    """One random layer under every layer's name: values do not change the time."""
    layer = {f"{name}.weight": torch.randn(shape) * 0.04 for name, shape in MATRICES.items()}
    layer |= {
        f"{n}.weight": torch.ones(HIDDEN) for n in ("input_layernorm", "post_attention_layernorm")
    }
    weights = {f"model.layers.{i}.{n}": w for i in range(LAYERS) for n, w in layer.items()}
    weights["model.embed_tokens.weight"] = torch.randn(VOCAB, HIDDEN) * 0.02
    weights["model.norm.weight"] = torch.ones(HIDDEN)
    return weights


def decode_row(decoder: PackedDecoder, bits: int, batch: int, context: int) -> Row:
    blocks = context // BLOCK + 1
    arguments = (
        torch.arange(batch, dtype=torch.int32),
        torch.full((batch,), context - 1, dtype=torch.int32),
        torch.arange(batch + 1, dtype=torch.int32),
        torch.arange(batch * blocks, dtype=torch.int32).view(batch, blocks),
        torch.arange(batch, dtype=torch.int32),
    )
    return Row(
        f"int{bits} decode, batch {batch}",
        batch,
        lambda: decoder.forward(*arguments),
        [partial(decoder.read_weights, streams) for streams in READ_STREAMS],
        decoder.weight_bytes + batch * context * KV_BYTES_PER_POSITION,
        decoder.weight_bytes,
    )


def prefill_row(decoder: PackedDecoder, bits: int, tokens: int) -> Row:
    positions = torch.arange(tokens, dtype=torch.int32)
    starts = torch.tensor([0, tokens], dtype=torch.int32)
    table = torch.arange(tokens // BLOCK, dtype=torch.int32)[None]
    arguments = (positions, positions, starts, table, starts[1:] - 1)
    return Row(f"int{bits} prefill {tokens}", tokens, lambda: decoder.forward(*arguments))


def torch_row(batch: int) -> Row:
    """bf16 linear layers, each layer with weights of its own, as a model has."""
    shapes = [shape for _ in range(LAYERS) for shape in MATRICES.values()] + [(VOCAB, HIDDEN)]
    weights = [torch.randn(shape).bfloat16() for shape in shapes]
    inputs = {width: torch.randn(batch, width).bfloat16() for width in (HIDDEN, INNER)}

    def step() -> None:
        for weight in weights:
            torch.nn.functional.linear(inputs[weight.shape[1]], weight)

    return Row(f"torch bf16 linears, batch {batch}", batch, step)


def measure(rows: list[Row], rounds: int, clock: Callable[[], float]) -> None:
    def timed(run: Callable[[], object]) -> float:
        start = clock()
        run()
        return clock() - start

    for row in rows:
        row.step()
    for _ in range(rounds):
        for row in rows:
            if row.probes:
                row.probes_s.append([timed(probe) for probe in row.probes])
            row.steps_s.append(timed(row.step))


def report(rows: list[Row], title: str) -> Table:
    table = Table("", "tokens/s", "of the bandwidth bound", "torch bf16 x", title=title)
    torch_rows = {row.tokens: row for row in rows if row.name.startswith("torch")}
    for row in rows:
        fraction, peer = row.fraction_of_bound, torch_rows.get(row.tokens)
        table.add_row(
            row.name,
            f"{row.tokens_per_s:.0f}",
            "" if fraction is None else f"{fraction:.2f}",
            "" if peer is None else f"{row.tokens_per_s / peer.tokens_per_s:.1f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    weights, rows = random_weights(), []
    for bits in (4, 8):
        decoder = PackedDecoder(
            dims(),
            weights,
            weight_bits=bits,
            threads=options.threads,
            num_blocks=8 * (options.context // BLOCK + 1) + 32,
            block_size=BLOCK,
        )
        rows += [decode_row(decoder, bits, batch, options.context) for batch in (1, 8)]
        rows.append(prefill_row(decoder, bits, 512))
    rows += [torch_row(1), torch_row(8)]
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    measure(rows, options.rounds, clock)
    bandwidth = next(row for row in rows if row.probes).bandwidth / 1e9
    title = f"SmolLM2-135M shape, {options.threads} thread(s), context {options.context}"
    Console().print(report(rows, f"{title}; the weights read at {bandwidth:.1f} GB/s"))


if __name__ == "__main__":
    main()
