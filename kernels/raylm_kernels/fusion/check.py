"""A fused module beside the original: the results of an example, and the gradients of training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from raylm_kernels.comparison import ALLOWED, distance

_GRADIENT = "the gradient of"



def worst_difference(
    original: nn.Module, fused: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[float, str]:
    """The largest one that was found, and what is too far off: empty where nothing is."""
    wanted = _answers(original, args, kwargs)
    found = _answers(fused, args, kwargs)[: len(wanted)]
    if len(found) < len(wanted):
        return float("inf"), "it has no gradients"
    largest = max([_magnitude(one) for name, one in wanted if name.startswith(_GRADIENT)], default=0)
    worst, faults = 0.0, []
    for (name, one), (_, other) in zip(found, wanted, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            faults.append(f"{name} is {_outline(one)}, not {_outline(other)}")
            continue
        allowed = _allowed(one.dtype, fused)
        off = distance(one, other)
        if name.startswith(_GRADIENT) and off < float("inf"):
            off *= _magnitude(other) / max(_magnitude(other), _noise(other, allowed) * largest, 1e-30)
        worst = max(worst, off)
        if off > allowed:
            faults.append(f"{name} is off by {off:.2g} of its magnitude; {allowed:.2g} allowed")
    return worst, "; ".join(faults[:2])


def _noise(gradient: Tensor, allowed: float) -> float:
    """Which part of the largest gradient a smaller one counts as: one that cancels, as those of
    queries do where there is one key, is nothing but the rounding of larger terms."""
    return min(1.0, 30 * torch.finfo(gradient.dtype).eps / allowed)


def _magnitude(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _outline(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _allowed(dtype: torch.dtype, module: nn.Module) -> float:
    """By the narrowest format that is computed in: a loss in fp32 is no better than its logits."""
    formats = {p.dtype for p in module.parameters()} | {dtype}
    return max(ALLOWED.get(one, 0.0) for one in formats) if dtype.is_floating_point else 0.0


def _answers(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[tuple[str, Tensor]]:
    """By name: results, and gradients of inputs and parameters where it has any."""
    with _same_randomness(), torch.enable_grad():
        args, kwargs = pytree.tree_map_only(Tensor, _leaf, (list(args), dict(kwargs)))
        results = [r for r in pytree.tree_leaves(module(*args, **kwargs)) if isinstance(r, Tensor)]
        named = [(f"result {place}", one.detach()) for place, one in enumerate(results)]
        sources = _sources(module, (args, kwargs))
        roots = [one for one in results if one.requires_grad]
        if roots and sources:
            seeds = [torch.randn_like(one) for one in roots]
            with suppress(RuntimeError):  # a module that changes what its gradients need has none
                gradients = torch.autograd.grad(
                    roots, list(sources.values()), seeds, allow_unused=True, materialize_grads=True
                )
                named += [(f"{_GRADIENT} {n}", g) for n, g in zip(sources, gradients, strict=True)]
    return named


def _leaf(tensor: Tensor) -> Tensor:
    """A copy: a module may change what it is given."""
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _sources(module: nn.Module, inputs: Any) -> dict[str, Tensor]:
    found = {n: p for n, p in module.named_parameters() if p.requires_grad}
    for place, one in enumerate(pytree.tree_leaves(inputs)):
        if isinstance(one, Tensor) and one.requires_grad:
            found[f"input {place}"] = one
    return found


@contextmanager
def _same_randomness() -> Iterator[None]:
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(0)
        yield
