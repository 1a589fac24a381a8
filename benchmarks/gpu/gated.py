"""The gated activation of an MLP."""

from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

TOKENS, WIDTH = 8192, 14_336
_BYTES = 2 * TOKENS * WIDTH  # of one tensor in bf16


def _pair(draw: Draw) -> Arguments:
    return draw.normal(TOKENS, WIDTH), draw.normal(TOKENS, WIDTH)


def _with_grads(draw: Draw) -> Arguments:
    return [draw.normal(TOKENS, WIDTH)], *_pair(draw)


ROWS: Rows = (
    Row(
        "swiglu",
        f"{TOKENS} x {WIDTH}",
        _pair,
        nbytes=3 * _BYTES,
        of_copy=0.88,
        rivals={"eager": lambda gate, up: F.silu(gate) * up},
    ),
    Row(
        "swiglu_backward",
        f"{TOKENS} x {WIDTH}",
        _with_grads,
        nbytes=5 * _BYTES,
        of_copy=0.88,
    ),
)
