"""The gated activations of an MLP at the sizes of Llama 3 8B."""

from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

TOKENS, WIDTH = 8192, 14_336
_SHAPE = f"{TOKENS} x {WIDTH}"
_BYTES = 2 * TOKENS * WIDTH  # of one tensor in bf16


def _pair(draw: Draw) -> Arguments:
    return draw.normal(TOKENS, WIDTH), draw.normal(TOKENS, WIDTH)


def _with_grads(draw: Draw) -> Arguments:
    return [draw.normal(TOKENS, WIDTH)], *_pair(draw)


ROWS: Rows = (
    Row(
        "swiglu",
        _SHAPE,
        _pair,
        nbytes=3 * _BYTES,
        of_copy=0.88,
        rivals={"eager": lambda gate, up: F.silu(gate) * up},
    ),
    Row("swiglu_backward", _SHAPE, _with_grads, nbytes=5 * _BYTES, of_copy=0.88),
    Row(
        "geglu",
        _SHAPE,
        _pair,
        nbytes=3 * _BYTES,
        of_copy=0.88,
        rivals={"eager": lambda gate, up: F.gelu(gate, approximate="tanh") * up},
    ),
    Row("geglu_backward", _SHAPE, _with_grads, nbytes=5 * _BYTES, of_copy=0.88),
)
