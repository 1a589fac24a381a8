"""Drawing tokens from logits: a function of numbers drawn elsewhere, so that it can be repeated."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_shape
from raylm_kernels.op import op


def _check(
    logits_NV: Tensor,
    uniform_N: Tensor,
    temperature_N: Tensor,
    top_k_N: Tensor,
    top_p_N: Tensor,
    min_p_N: Tensor,
) -> None:
    require(logits_NV.ndim == 2, "sample", "logits_NV", "two dimensions", logits_NV)
    require(logits_NV.shape[1] > 0, "sample", "logits_NV", "at least one token", logits_NV)
    named = {
        "uniform_N": uniform_N,
        "temperature_N": temperature_N,
        "top_k_N": top_k_N,
        "top_p_N": top_p_N,
        "min_p_N": min_p_N,
    }
    for name, tensor in named.items():
        require_shape("sample", name, tensor, (logits_NV.shape[0],))


@op(check=_check)
def sample(
    logits_NV: Tensor,
    uniform_N: Tensor,
    temperature_N: Tensor,
    top_k_N: Tensor,
    top_p_N: Tensor,
    min_p_N: Tensor,
) -> Tensor:
    """A token of each row, drawn by `uniform_N` in [0, 1).

    Temperature 0 takes the likeliest. Of the others only the `top_k` likeliest stay (0: all), of
    these the fewest whose probabilities sum to `top_p`, and those at least `min_p` times as likely
    as the likeliest.
    """
    is_greedy = temperature_N == 0
    heat = torch.where(is_greedy, 1.0, temperature_N.float())[:, None]
    p_NV, tokens_NV = (logits_NV.float() / heat).softmax(-1).sort(descending=True, stable=True)
    rank_V = torch.arange(p_NV.shape[1], device=p_NV.device)
    top_k = torch.where(top_k_N > 0, top_k_N, p_NV.shape[1])[:, None]
    is_kept = (rank_V < top_k) & (p_NV >= min_p_N.float()[:, None] * p_NV[:, :1])
    p_NV = torch.where(rank_V < top_k, p_NV, 0.0)
    before = p_NV.cumsum(-1) - p_NV
    is_kept &= before < top_p_N.float()[:, None] * p_NV.sum(-1, keepdim=True)
    p_NV = torch.where(is_kept | (rank_V == 0), p_NV, 0.0)
    up_to = p_NV.cumsum(-1)
    drawn = (up_to <= uniform_N.float()[:, None] * up_to[:, -1:]).sum(-1)
    last = (p_NV > 0).sum(-1) - 1  # rounding may have drawn past it
    place = torch.where(is_greedy, 0, torch.minimum(drawn, last))
    return tokens_NV.gather(-1, place[:, None])[:, 0]
