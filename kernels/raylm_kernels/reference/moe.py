"""Mixture of experts: which experts a token goes to, the way there and back, and their matrices."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from raylm_kernels.arguments import require, require_integers, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide


def _check_route(logits_NX: Tensor, k: int, renormalise: bool) -> None:
    require(logits_NX.ndim == 2, "route_top_k", "logits_NX", "two dimensions", logits_NX)
    experts = logits_NX.shape[1]
    require(1 <= k <= experts, "route_top_k", "k", f"1 to {experts}, the experts there are", k)


@op(gradients=("logits_NX",), check=_check_route)
def route_top_k(logits_NX: Tensor, k: int, renormalise: bool = True) -> tuple[Tensor, Tensor]:
    """The k likeliest experts of each token: their probabilities in fp32, which `renormalise` makes
    sum to 1, and their numbers (Shazeer et al. 2017, https://arxiv.org/abs/1701.06538)."""
    weights, experts = wide(logits_NX).softmax(-1).topk(k, dim=-1)
    return (weights / weights.sum(-1, keepdim=True) if renormalise else weights), experts


def _check_permute(x_NE: Tensor, experts_NK: Tensor, num_experts: int) -> None:
    name = "permute_tokens"
    require(x_NE.ndim == 2, name, "x_NE", "two dimensions", x_NE)
    require(experts_NK.ndim == 2, name, "experts_NK", "two dimensions", experts_NK)
    require_shape(name, "experts_NK", experts_NK, (x_NE.shape[0], experts_NK.shape[1]))
    require_integers(name, "experts_NK", experts_NK)
    require(num_experts >= 1, name, "num_experts", "1 or more", num_experts)


@op(gradients=("x_NE",), check=_check_permute)
def permute_tokens(
    x_NE: Tensor, experts_NK: Tensor, num_experts: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows by expert: the tokens of expert 0 first, in their order. With them the place in N x K
    that each row comes from, and how many rows each expert has."""
    places = experts_NK.flatten().argsort(stable=True)
    counts = torch.zeros(num_experts, dtype=torch.int64, device=x_NE.device)
    counts.scatter_add_(0, experts_NK.flatten().long(), torch.ones_like(places))
    return x_NE[places // experts_NK.shape[1]], places, counts


def _check_unpermute(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> None:
    name = "unpermute_tokens"
    require(weights_NK.ndim == 2, name, "weights_NK", "two dimensions", weights_NK)
    require(y_ME.ndim == 2, name, "y_ME", "two dimensions", y_ME)
    require_shape(name, "y_ME", y_ME, (weights_NK.shape[0] * weights_NK.shape[1], y_ME.shape[1]))
    require_shape(name, "places_M", places_M, (y_ME.shape[0],))
    require_integers(name, "places_M", places_M)


@op(gradients=("y_ME", "weights_NK"), check=_check_unpermute)
def unpermute_tokens(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> Tensor:
    """Of each token, the sum of its experts' rows times its weights."""
    value = wide(y_ME)
    back = torch.zeros_like(value).index_copy(0, places_M.long(), value)
    weighted = (
        back.reshape(*weights_NK.shape, y_ME.shape[1]) * weights_NK.to(value.dtype)[..., None]
    )
    return weighted.sum(1).to(y_ME.dtype)


def _check_grouped(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> None:
    name = "grouped_linear"
    require(x_MI.ndim == 2, name, "x_MI", "two dimensions", x_MI)
    require(weight_XOI.ndim == 3, name, "weight_XOI", "three dimensions", weight_XOI)
    wanted = (*weight_XOI.shape[:2], x_MI.shape[1])
    require_shape(name, "weight_XOI", weight_XOI, wanted)
    require_shape(name, "counts_X", counts_X, (weight_XOI.shape[0],))
    require_integers(name, "counts_X", counts_X)


def _grouped_backward(
    grads: Sequence[Tensor | None], x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor
) -> list[Tensor]:
    [grad] = grads
    assert grad is not None
    shares = list(zip(_groups(grad, counts_X), _groups(x_MI, counts_X), weight_XOI, strict=True))
    of_groups = [g @ weight for g, _, weight in shares]
    return [_whole(of_groups, x_MI), torch.stack([g.T @ x for g, x, _ in shares])]


def _groups(rows: Tensor, counts_X: Tensor) -> tuple[Tensor, ...]:
    counts = counts_X.tolist()
    return torch.split(rows[: sum(counts)], counts)


def _whole(groups: list[Tensor], like: Tensor) -> Tensor:
    """As many rows as there are of `like`, zeros after those of the groups."""
    found = torch.cat(groups)
    return torch.cat([found, found.new_zeros(len(like) - len(found), found.shape[1])])


@op(
    gradients=("x_MI", "weight_XOI"),
    check=_check_grouped,
    fake=lambda x_MI, weight_XOI, counts_X: x_MI.new_empty(len(x_MI), weight_XOI.shape[1]),
    backward=_grouped_backward,
)
def grouped_linear(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> Tensor:
    """x W^T with one matrix for each group of rows: `counts_X` rows of x, in order, have each
    group's. Rows after those of the last group become zeros. Counts of more rows than there are
    raise where they can be read without waiting for a GPU; else the last groups have fewer."""
    counts = counts_X.tolist()
    expected = f"at most the {len(x_MI)} rows of x_MI in all"
    require(sum(counts) <= len(x_MI), "grouped_linear", "counts_X", expected, counts)
    pairs = zip(_groups(x_MI, counts_X), weight_XOI, strict=True)
    return _whole([linear(x, weight) for x, weight in pairs], x_MI)
