"""Drawing the next token of a batch: beside the reference, which sorts."""

import torch

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels.reference import sampling

ROWS_AT_ONCE, VOCABULARY = 64, 128_256


def _settings(temperature: float, top_k: int, top_p: float, draw: Draw) -> Arguments:
    full = torch.ones(ROWS_AT_ONCE, device=draw.device)
    uniform = draw.integers(2**20, ROWS_AT_ONCE) / 2**20
    logits = draw.normal(ROWS_AT_ONCE, VOCABULARY, scale=4.0)
    return logits, uniform, full * temperature, (full * top_k).long(), full * top_p, full * 0


ROWS: Rows = tuple(
    Row(
        "sample",
        f"{ROWS_AT_ONCE} x {VOCABULARY}, {name}",
        lambda draw, settings=settings: _settings(*settings, draw),
        rivals={"sort": sampling.sample.reference},
        times={"sort": 1.0},
    )
    for name, settings in {
        "greedy": (0.0, 0, 1.0),
        "temperature": (0.7, 0, 1.0),
        "top-k and top-p": (0.7, 50, 0.95),
    }.items()
)
