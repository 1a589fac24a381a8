"""An op with its implementations."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from raylm_kernels.implementation import REFERENCE, Implementation


@dataclass
class Entry:
    """`mutates`: the places of the arguments it changes; `gradients`: of those it is
    differentiable by; `keeps_results`: whether `NAME_backward` is handed its results."""

    name: str
    mutates: tuple[int, ...] = ()
    gradients: tuple[int, ...] = ()
    keeps_results: bool = False
    implementations: dict[str, Implementation] = field(default_factory=dict)

    @property
    def reference(self) -> Callable[..., Any]:
        return self.implementations[REFERENCE].function

    @cached_property
    def _defaults(self) -> list[Any]:
        parameters = inspect.signature(self.reference).parameters.values()
        return [parameter.default for parameter in parameters]

    def complete(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """With the defaults of those that are left out."""
        return (*args, *self._defaults[len(args) :])
