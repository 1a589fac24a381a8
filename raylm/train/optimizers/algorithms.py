"""Optimizers by name, and which of them may run on a part of a tensor."""

from dataclasses import dataclass

import torch
from torch.optim import LBFGS, SparseAdam
from torch.optim.optimizer import Optimizer

from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean
from raylm.train.optimizers.lamb import Lamb
from raylm.train.optimizers.lion import Lion

_ELEMENTWISE = frozenset(
    {
        torch.optim.ASGD,
        torch.optim.Adadelta,
        torch.optim.Adagrad,
        torch.optim.Adam,
        torch.optim.AdamW,
        torch.optim.Adamax,
        torch.optim.NAdam,
        torch.optim.RAdam,
        torch.optim.RMSprop,
        torch.optim.Rprop,
        torch.optim.SGD,
        Lion,
    }
)
_UNSUPPORTED = {
    LBFGS: "it couples all parameters and evaluates the loss again in a closure; use adamw",
    SparseAdam: "it updates sparse gradients only; use adam, and embeddings with sparse=False",
}
_CLASSES = {
    cls.__name__.lower(): cls
    for cls in (*vars(torch.optim).values(), Lion, Lamb)
    if isinstance(cls, type) and issubclass(cls, Optimizer) and cls is not Optimizer
}


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`elementwise`: the update of an element reads its own value, gradient and state alone.

    (And the number of steps, and the hyper-parameters.) Then a worker may update any slice of a
    tensor by itself; else it needs the whole tensor.
    """

    name: str
    build: type[Optimizer]
    elementwise: bool


def algorithm(name: str) -> Algorithm:
    """The algorithm called `name`, in whatever case.

    Raises ConfigError where there is none, or where RayLM cannot run it.
    """
    cls = _CLASSES.get(name.lower())
    if cls is None:
        known = [key for key, value in _CLASSES.items() if value not in _UNSUPPORTED]
        raise ConfigError(f"unknown optimizer {name!r}{did_you_mean(name.lower(), known)}")
    if reason := _UNSUPPORTED.get(cls):
        raise ConfigError(f"optimizer {name!r} is not supported: {reason}")
    return Algorithm(name.lower(), cls, cls in _ELEMENTWISE)


def is_elementwise(optimizer: Optimizer) -> bool:
    """Whether a slice of a tensor may be updated by itself.

    Known of the classes above; any other says so with a true class attribute `elementwise`.
    A subclass of a known class does not inherit the answer: it may do anything, and whole tensors
    are always right.
    """
    cls = type(optimizer)
    return cls in _ELEMENTWISE or bool(getattr(cls, "elementwise", False))


def refuse_unsupported(optimizer: Optimizer) -> None:
    """Raises ConfigError for an optimizer object that RayLM cannot run."""
    for cls, reason in _UNSUPPORTED.items():
        if isinstance(optimizer, cls):
            name = type(optimizer).__name__
            raise ConfigError(f"optimizer {name!r} is not supported: {reason}")
