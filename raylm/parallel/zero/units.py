"""Which modules are gathered, reduced and released as one: the units of a model.

By default a unit is each element of a list of blocks (nn.ModuleList, nn.Sequential) and each
leaf module outside of such lists, an embedding or a head. What is left belongs to the root.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from raylm.core.errors import ConfigError
from raylm.core.suggest import did_you_mean

UnitRule = Callable[[nn.Module, nn.Module], bool]  # (parent, child) -> is the child a unit


@dataclass(frozen=True, slots=True)
class Unit:
    """`parameters` are those met here first: a tied one belongs to the first module it is in."""

    name: str
    module: nn.Module
    parameters: dict[str, nn.Parameter]


def blocks_and_leaves(parent: nn.Module, child: nn.Module) -> bool:
    is_leaf = next(child.children(), None) is None
    return is_leaf or isinstance(parent, nn.ModuleList | nn.ModuleDict | nn.Sequential)


def of_classes(names: Sequence[str], model: nn.Module) -> UnitRule:
    """Modules whose class has one of these names. Raises ConfigError for a name nobody has."""
    known = {type(module).__name__ for module in model.modules()}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"zero.units: the model has no module of class {name!r}{did_you_mean(name, known)}"
            )
    return lambda parent, child: type(child).__name__ in names


def find_units(model: nn.Module, rule: UnitRule = blocks_and_leaves) -> list[Unit]:
    """In registration order, the root's own remainder first; units without parameters left out.

    Raises ConfigError for two parameters that share memory without being one.
    """
    _require_distinct_memory(model)
    claimed: set[int] = set()
    places = list(_places(model, "", rule))
    units = [
        Unit(name, module, _claim(module.named_parameters(name), claimed))
        for name, module in places
    ]
    rest = Unit("", model, _claim(model.named_parameters(), claimed))
    return [unit for unit in (rest, *units) if unit.parameters]


def _places(parent: nn.Module, path: str, rule: UnitRule) -> Iterator[tuple[str, nn.Module]]:
    for name, child in parent.named_children():
        here = f"{path}.{name}" if path else name
        if rule(parent, child):
            yield here, child
        else:
            yield from _places(child, here, rule)


def _claim(named: Iterator[tuple[str, nn.Parameter]], claimed: set[int]) -> dict[str, nn.Parameter]:
    own = {name: p for name, p in named if id(p) not in claimed}
    claimed.update(id(p) for p in own.values())
    return own


def _require_distinct_memory(model: nn.Module) -> None:
    holders: dict[int, str] = {}
    for name, parameter in model.named_parameters():
        if parameter.is_meta or not parameter.numel():
            continue
        first = holders.setdefault(parameter.data_ptr(), name)
        if first != name:
            raise ConfigError(
                f"the parameters {first!r} and {name!r} share memory but are two objects; tie them "
                "by using one nn.Parameter in both modules"
            )
