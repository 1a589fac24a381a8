"""The loss of a model's head over some tokens at a time: their logits turn into gradients in place.

The products are torch's own. Gradients of the weight are summed in fp32, chunk by chunk.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from raylm_kernels.reference import loss
from raylm_kernels.triton.cross_entropy import put_gradient, put_losses
from raylm_kernels.triton.launched import launched

_CHUNK_BYTES = 2**29  # of logits at once
_LEAST_ROWS = 1024  # all gradients of the weight are read and written with each chunk
_ROW_STEP = 128  # that products have no part of a tile


def _are_alike(hidden_NE: Tensor, weight_VE: Tensor, *others: Tensor) -> bool:
    return hidden_NE.dtype == weight_VE.dtype and min(hidden_NE.numel(), weight_VE.numel()) > 0


@launched(loss.linear_cross_entropy, _are_alike)
def linear_cross_entropy(hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor) -> Tensor:
    losses, targets = (
        hidden_NE.new_empty(len(hidden_NE), dtype=torch.float32),
        targets_N.contiguous(),
    )
    for rows, logits in _chunks(hidden_NE, weight_VE):
        put_losses(logits, targets[rows], losses[rows])
    return losses


@launched(
    "linear_cross_entropy_backward",
    lambda grads, hidden_NE, weight_VE, targets_N: _are_alike(hidden_NE, weight_VE),
)
def linear_cross_entropy_backward(
    grads: Sequence[Tensor], hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor
) -> list[Tensor]:
    _, *gradients = linear_cross_entropy_gradients(hidden_NE, weight_VE, targets_N, grads[0])
    return gradients


@launched(loss.linear_cross_entropy_gradients, _are_alike)
def linear_cross_entropy_gradients(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    targets, weights = targets_N.contiguous(), weights_N.float().contiguous()
    peak = _peak(weights, hidden_NE.dtype)
    shares = weights if peak is None else weights / peak
    losses = weights.new_empty(len(weights))
    grad_hidden = torch.empty_like(hidden_NE, memory_format=torch.contiguous_format)
    grad_weight = torch.empty_like(weight_VE, dtype=torch.float32)
    for rows, logits in _chunks(hidden_NE, weight_VE):
        put_gradient(logits, targets[rows], shares[rows], losses[rows], logits)
        torch.mm(logits, weight_VE, out=grad_hidden[rows])
        _add_product(grad_weight, logits.T, hidden_NE[rows], is_first=rows.start == 0)
    if peak is not None:
        grad_hidden.mul_(peak)
        grad_weight.mul_(peak)
    return (losses * weights).sum(), grad_hidden, grad_weight.to(weight_VE.dtype)


def _peak(weights_N: Tensor, dtype: torch.dtype) -> Tensor | None:
    """What fp16's gradients by the logits are divided by: they would vanish if all were small."""
    if dtype != torch.float16:
        return None
    return weights_N.abs().amax().clamp(min=torch.finfo(torch.float32).tiny)


def _chunks(hidden_NE: Tensor, weight_VE: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some rows with their logits, which the next ones overwrite."""
    tokens, vocabulary = len(hidden_NE), len(weight_VE)
    count = min(tokens, chunk_rows(tokens, vocabulary * hidden_NE.element_size()))
    buffer = hidden_NE.new_empty(count, vocabulary)
    for first in range(0, tokens, count):
        rows = slice(first, min(first + count, tokens))
        logits = buffer[: rows.stop - first]
        yield rows, torch.mm(hidden_NE[rows], weight_VE.T, out=logits)


def chunk_rows(tokens: int, row_bytes: int) -> int:
    """A quarter of the tokens, in bounds."""
    most = min(-(-tokens // 4), _CHUNK_BYTES // row_bytes)
    return max(_LEAST_ROWS, most // _ROW_STEP * _ROW_STEP)


def _add_product(total: Tensor, a: Tensor, b: Tensor, *, is_first: bool) -> None:
    beta = 0 if is_first else 1
    if a.dtype == torch.float32 or not total.is_cuda:  # only CUDA's products have another dtype
        total.addmm_(a.float(), b.float(), beta=beta)
    else:
        torch.addmm(total, a, b, beta=beta, out_dtype=torch.float32, out=total)
