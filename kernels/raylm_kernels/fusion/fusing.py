"""A module of your own with the library's ops in place of what they fuse."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.fx import Node

import raylm_kernels.catalog  # noqa: F401  registers the ops that patterns put in
from raylm_kernels.fusion.canonical import canonicalise
from raylm_kernels.fusion.capture import Captured, CaptureError, capture
from raylm_kernels.fusion.check import worst_difference
from raylm_kernels.fusion.error import FusionError
from raylm_kernels.fusion.inputs import Inputs, tensors_require_one_kind
from raylm_kernels.fusion.launches import cost
from raylm_kernels.fusion.module import fused, twin
from raylm_kernels.fusion.patterns import PATTERNS
from raylm_kernels.fusion.report import Report
from raylm_kernels.fusion.rewrite import Rewrite, rewrite, share_integers


def fuse(
    module: nn.Module,
    example_args: Sequence[Any] = (),
    example_kwargs: Mapping[str, Any] | None = None,
    *,
    check: bool = True,
    without: Collection[str] = (),
) -> nn.Module:
    """`module` over a graph in which norms, projections, gates, rotary positions, residuals,
    masked softmaxes and the head's loss are the library's ops.

    The example is a call like those that will come, in the mode (train or eval) they come in:
    sizes may differ later, except those that are 1 in the example. All parameters are shared with
    `module`, which stays as it is: training one trains the other, and their state_dict is the same.
    `.report` tells what was found, and what it saves. With `check` the results of the example, and
    its gradients, are compared. `without` names ops that are not put in, such as "rope".

    Raises FusionError where the example does not fit or the comparison fails.
    """
    _require_fusable(module)
    args, kwargs = tuple(example_args), dict(example_kwargs or {})
    Inputs(module, args, kwargs)
    result, report = _fused(module, args, kwargs, frozenset(without))
    if report.rewrites:
        report.before = cost(lambda: module(*args, **kwargs))
        report.after = cost(lambda: result(*args, **kwargs))
        if check:
            report.worst, fault = worst_difference(module, result, args, kwargs)
            if fault:
                raise FusionError(_blamed(module, args, kwargs, frozenset(without), report, fault))
    result.__dict__["report"] = report
    return result


def _require_fusable(module: nn.Module) -> None:
    if not isinstance(module, nn.Module):
        raise FusionError(f"fuse takes an nn.Module, found {type(module).__name__}")
    if isinstance(module, torch.jit.ScriptModule):
        raise FusionError("fuse cannot look into a scripted module: pass the one it was made from")
    if hasattr(module, "_orig_mod"):
        raise FusionError("fuse cannot look into a compiled module: pass module._orig_mod")
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        raise FusionError("fuse outside autocast, and cast the module: module.to(torch.bfloat16)")
    tensors_require_one_kind(module)


def _fused(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], without: frozenset[str]
) -> tuple[nn.Module, Report]:
    report = Report(type(module).__name__)
    try:
        made, report.rewrites = _whole(module, args, kwargs, without)
    except CaptureError as error:
        report.left_out[""] = str(error)
        made = _by_parts(module, args, kwargs, without, report)
    return made, report


def _whole(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], without: frozenset[str]
) -> tuple[nn.Module, list[Rewrite]]:
    captured, rewrites = _rewritten(module, args, kwargs, without)
    if not rewrites:
        return twin(module), []

    def remake(plain: nn.Module) -> Captured:
        try:
            return _rewritten(plain, args, kwargs, without)[0]
        except CaptureError as error:
            mode = "train" if plain.training else "eval"
            raise FusionError(
                f"fused {type(plain).__name__} has no graph for {mode} mode: {error}; call "
                f"fuse(module.{mode}(), ...), which fuses the parts that have one"
            ) from error

    return fused(module, captured, remake), rewrites


def _rewritten(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], without: frozenset[str]
) -> tuple[Captured, list[Rewrite]]:
    captured = capture(module, Inputs(module, args, kwargs))
    canonicalise(captured)
    done: list[tuple[Rewrite, Node]] = []
    for pattern in PATTERNS:
        done += rewrite(captured, pattern, without)
        captured.graph.eliminate_dead_code()
    share_integers(captured)
    captured.graph.lint()
    return captured, [one for one, node in done if not node._erased]  # others built on the rest


def _by_parts(
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    without: frozenset[str],
    report: Report,
) -> nn.Module:
    """Its submodules fused, each by the arguments that the example calls it with."""
    made: dict[str, nn.Module] = {}
    for path, (child, inner_args, inner_kwargs) in _calls(module, args, kwargs).items():
        part, inner = _fused(child, inner_args, inner_kwargs, without)
        named = [Rewrite(r.pattern, r.into, _joined(path, r.path)) for r in inner.rewrites]
        report.rewrites += named
        report.left_out |= {_joined(path, name): why for name, why in inner.left_out.items()}
        if named:
            made[path] = part
    return twin(module, made)


def _joined(path: str, rest: str) -> str:
    return f"{path}.{rest}" if rest else path


def _calls(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, tuple[nn.Module, Sequence[Any], Mapping[str, Any]]]:
    """The first call of each submodule that has a part of the forward to itself."""
    found: dict[str, tuple[nn.Module, Sequence[Any], Mapping[str, Any]]] = {}
    paths = {child: path for path, child in _parts(module)}

    def remember(child: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found.setdefault(paths[child], (child, args, kwargs))

    hooks = [one.register_forward_pre_hook(remember, with_kwargs=True) for one in paths]
    try:
        with torch.no_grad():
            module(*args, **kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    return {path: found[path] for path in paths.values() if path in found}


def _parts(module: nn.Module, path: str = "") -> list[tuple[str, nn.Module]]:
    """Children, and those of lists, which are not called themselves."""
    found = []
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            found += _parts(child, inner)
        elif any(True for _ in child.children()) or not type(child).__module__.startswith("torch."):
            found.append((inner, child))
    return found


def _blamed(
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    without: frozenset[str],
    report: Report,
    fault: str,
) -> str:
    """Which op it is that the results are off with."""
    for name in report.counts():
        other, _ = _fused(module, args, kwargs, without | {name})
        if not worst_difference(module, other, args, kwargs)[1]:
            return (
                f"fuse: {report.name} with {name} differs from the original: {fault}; "
                f"fuse(..., without={[name]!r}) leaves it out"
            )
    return (
        f"fuse: {report.name} differs from the original: {fault}; if its results vary from call "
        "to call by themselves, fuse(..., check=False) does not compare them"
    )
