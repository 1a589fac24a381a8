"""A fused module beside the original: the results of an example, and the gradients of training."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from raylm_kernels.comparison import ALLOWED, distance

_GRADIENT = "the gradient of"
Answers = list[tuple[str, Tensor]]


def worst_difference(
    original: nn.Module, fused: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[float, str]:
    """The largest one that was found, and what is too far off: empty where nothing is."""
    wanted = _answers(original, args, kwargs)
    found = _answers(fused, args, kwargs)[: len(wanted)]
    if len(found) < len(wanted):
        return float("inf"), "it has no gradients"
    for (name, one), (_, other) in zip(found, wanted, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return float("inf"), f"{name} is {_outline(one)}, not {_outline(other)}"
    worst, fault = _by_elements(found, wanted, fused)
    if fault and _formats(fused) & {torch.bfloat16, torch.float16}:
        exact = _answers(copy.deepcopy(original).float(), *_wide((args, kwargs)))
        return _by_norms(found, wanted, exact, fused)
    return worst, fault


def _by_elements(found: Answers, wanted: Answers, module: nn.Module) -> tuple[float, str]:
    largest = max(
        [_magnitude(one) for name, one in wanted if name.startswith(_GRADIENT)], default=0
    )
    worst, faults = 0.0, []
    for (name, one), (_, other) in zip(found, wanted, strict=True):
        allowed = _allowed(one.dtype, module)
        off = distance(one, other)
        if name.startswith(_GRADIENT) and off < float("inf"):
            least = _noise(other, allowed) * largest
            off *= _magnitude(other) / max(_magnitude(other), least, 1e-30)
        worst = max(worst, off)
        if off > allowed:
            faults.append(f"{name} is off by {off:.2g} of its magnitude; {allowed:.2g} allowed")
    return worst, "; ".join(faults[:2])


def _by_norms(
    found: Answers, wanted: Answers, exact: Answers, module: nn.Module
) -> tuple[float, str]:
    """In 16 bits a router that rounds otherwise sends a token elsewhere, and elements are far off.
    As a whole it must be no farther from fp32 than twice what the original is."""
    worst, faults = 0.0, []
    for (name, one), (_, other), (_, truth) in zip(found, wanted, exact, strict=True):
        off, own = _norm_off(one, truth), _norm_off(other, truth)
        limit = max(_allowed(one.dtype, module), 2 * own)
        worst = max(worst, off)
        if off > limit:
            faults.append(
                f"{name} is off from fp32 by {off:.2g} of its norm; the original by {own:.2g}"
            )
    return worst, "; ".join(faults[:2])


def _norm_off(found: Tensor, truth: Tensor) -> float:
    found, truth = found.double(), truth.double()
    return float((found - truth).norm() / truth.norm().clamp(min=1e-30))


def _wide(tree: Any) -> Any:
    return pytree.tree_map_only(
        Tensor,
        lambda t: (
            t.detach().float().requires_grad_(t.requires_grad) if t.is_floating_point() else t
        ),
        tree,
    )


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
    formats = _formats(module) | {dtype}
    return max(ALLOWED.get(one, 0.0) for one in formats) if dtype.is_floating_point else 0.0


def _formats(module: nn.Module) -> set[torch.dtype]:
    return {p.dtype for p in module.parameters()}


def _answers(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Answers:
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
    found: dict[str, Tensor] = dict(module.named_parameters())
    found = {n: p for n, p in found.items() if p.requires_grad}
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
