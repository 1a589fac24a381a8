"""From the configuration to ordinary torch optimizers."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Muon
from torch.optim.optimizer import Optimizer

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.core.suggest import did_you_mean
from raylm.train.optimizers.algorithms import algorithm

_MUON_MOMENTUM = 0.95
_FULL = frozenset({torch.float32, torch.float64})
_HALF = frozenset({torch.bfloat16, torch.float16})


def build_optimizers(
    named: Mapping[str, nn.Parameter], config: OptimizerConfig, device: torch.device | None = None
) -> list[Optimizer]:
    """The optimizers that together update the trainable parameters of `named`, each one once.

    One, except for `muon`: Muon for the hidden matrices and AdamW for all else. The `lr` of each
    param group is its peak. `device` is where the parameters will be when they are still on the
    meta device. Raises ConfigError where nothing is trainable, where an option is not one of the
    class, and where the class refuses a value.
    """
    trained = {name: p for name, p in named.items() if p.requires_grad}
    if not trained:
        raise ConfigError(
            f"none of the model's {len(named)} parameters is trainable; "
            "set requires_grad of those to train"
        )
    chosen = algorithm(config.name)
    if chosen.build is Muon:
        return _muon(trained, config, device)
    _check_options(chosen.build, config, set())
    arguments = _hyper_parameters(chosen.build, config) | config.options
    members = list(trained.values())
    return [_build(chosen.build, config.name, members, arguments, device, config.decays)]


def _muon(
    trained: Mapping[str, nn.Parameter], config: OptimizerConfig, device: torch.device | None
) -> list[Optimizer]:
    """Jordan et al. 2024; the update's size matched to AdamW's as in Liu et al. 2025."""
    _check_options(Muon, config, {"adamw_lr"})
    options = dict(config.options)
    adamw = _hyper_parameters(AdamW, config)
    adamw["lr"] = options.pop("adamw_lr", config.lr)
    muon = _hyper_parameters(Muon, config)
    muon["momentum"] = config.momentum or _MUON_MOMENTUM
    if "adjust_lr_fn" in _taken(Muon):
        muon["adjust_lr_fn"] = "match_rms_adamw"
    matrices = [p for name, p in trained.items() if _is_hidden_matrix(name, p)]
    others = [p for name, p in trained.items() if not _is_hidden_matrix(name, p)]
    parts: list[tuple[type[Optimizer], list[nn.Parameter], dict[str, Any]]] = [
        (Muon, matrices, muon | options),
        (AdamW, others, adamw),
    ]
    return [
        _build(cls, config.name, members, arguments, device, config.decays)
        for cls, members, arguments in parts
        if members
    ]


def _is_hidden_matrix(name: str, parameter: nn.Parameter) -> bool:
    table = "embed" in name or "lm_head" in name or name.endswith("head.weight")
    return parameter.ndim == 2 and not table


def _build(
    cls: type[Optimizer],
    name: str,
    parameters: Sequence[nn.Parameter],
    arguments: dict[str, Any],
    device: torch.device | None,
    decays: str,
) -> Optimizer:
    groups = _groups(parameters, arguments.get("weight_decay") if decays == "matrices" else None)
    arguments = _kernel(cls, parameters, arguments, device) | arguments
    try:
        return cls(groups, **arguments)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConfigError(
            f"optimizer {name!r}: {cls.__name__} refuses its arguments: {error}; "
            "change the optimizer section of the configuration"
        ) from error


def _groups(parameters: Iterable[nn.Parameter], weight_decay: float | None) -> list[dict[str, Any]]:
    """Norms and biases are not decayed: pulling a scale towards zero regularises nothing. None
    leaves the decay to the class's own argument, for all alike."""
    parameters = list(parameters)
    if weight_decay is None:
        return [{"params": parameters}]
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    groups = ((matrices, weight_decay), (vectors, 0.0))
    return [{"params": members, "weight_decay": decay} for members, decay in groups if members]


def _taken(cls: type[Optimizer]) -> dict[str, Any]:
    """The arguments of the constructor and their defaults."""
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "params"}


def _hyper_parameters(cls: type[Optimizer], config: OptimizerConfig) -> dict[str, Any]:
    """What `config` says and `cls` takes.

    Not the eps of Adafactor, a pair, nor that of Muon, which guards the norm of a matrix: both
    keep their own unless an option sets it.
    """
    values = config.model_dump(include={"lr", "weight_decay", "betas", "eps", "momentum"})
    taken = _taken(cls)
    if cls is Muon or isinstance(taken.get("eps"), tuple):
        del values["eps"]
    return {key: value for key, value in values.items() if key in taken}


def _check_options(cls: type[Optimizer], config: OptimizerConfig, further: set[str]) -> None:
    named = _hyper_parameters(cls, config).keys()
    known = (_taken(cls).keys() | further) - named
    for key in config.options:
        if key in named:
            raise ConfigError(f"optimizer.options.{key} repeats optimizer.{key}; set the latter")
        if key not in known:
            hint = did_you_mean(key, known)
            raise ConfigError(f"optimizer {config.name!r} takes no option {key!r}{hint}")


def _kernel(
    cls: type[Optimizer],
    parameters: Sequence[nn.Parameter],
    arguments: Mapping[str, Any],
    device: torch.device | None,
) -> dict[str, bool]:
    """The fastest implementation, unless the options have settled that."""
    taken = _taken(cls)
    if arguments.keys() & {"fused", "foreach", "differentiable"}:
        return {}
    if "fused" in taken and all(_fuses(cls, p.dtype, device or p.device) for p in parameters):
        return {"fused": True}
    return {"foreach": True} if "foreach" in taken else {}


def _fuses(cls: type[Optimizer], dtype: torch.dtype, device: torch.device) -> bool:
    """torch's fused CPU SGD leaves most of a half-precision tensor as it was (pytorch#191763)."""
    if device.type not in ("cpu", "cuda"):
        return False
    return dtype in _FULL or (dtype in _HALF and not (cls is SGD and device.type == "cpu"))
