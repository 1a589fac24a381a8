"""Giving a module that was made on the meta device its memory and first values, unit by unit."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from raylm.core.errors import ConfigError


@torch.no_grad()
def materialize(
    root: nn.Module, module: nn.Module, prefix: str, names: Collection[str], device: torch.device
) -> None:
    """Those of the parameters `names` under `module` that are on the meta device, with the
    buffers beside them.

    Values come from `root.init_parameter(name, tensor)` where the model has it, else from
    each module's own `reset_parameters`. Raises ConfigError for a module that has neither.
    """
    for path, part in module.named_modules(prefix=prefix):
        direct = {f"{path}.{n}" if path else n: p for n, p in part._parameters.items()}
        absent = {n: p for n, p in direct.items() if n in names and p is not None and p.is_meta}
        if absent:
            for parameter in absent.values():
                _allocate(parameter, device)
            _fill(root, part, path, absent, device)


def materialize_buffers(root: nn.Module, device: torch.device) -> None:
    """What modules without parameters of their own still have on the meta device."""
    for path, part in root.named_modules():
        if any(buffer.is_meta for buffer in part.buffers(recurse=False)):
            _fill(root, part, path, {}, device)


def _fill(
    root: nn.Module, part: nn.Module, path: str, absent: dict[str, Tensor], device: torch.device
) -> None:
    has_buffers = False
    for buffer in part.buffers(recurse=False):
        if buffer.is_meta:
            has_buffers = True
            _allocate(buffer, device)
    init = getattr(root, "init_parameter", None)
    if init is not None and not has_buffers:
        for name, tensor in absent.items():
            init(name, tensor)
    elif callable(reset := getattr(part, "reset_parameters", None)):
        reset()
    else:
        raise ConfigError(
            f"the module {path or 'at the root'} ({type(part).__name__}) is on the meta device "
            "and cannot be given values: give its class a reset_parameters method, or the "
            "model a method init_parameter(name, tensor)"
        )


def _allocate(tensor: Tensor, device: torch.device) -> None:
    """In place, for other modules may hold the same tensor."""
    memory = torch.empty_like(tensor, device=device)
    if isinstance(tensor, nn.Parameter):
        memory = nn.Parameter(memory, tensor.requires_grad)
    torch.utils.swap_tensors(tensor, memory)  # type: ignore[no-untyped-call]
