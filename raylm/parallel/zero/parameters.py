"""A module's parameters, gathered when somebody looks at them.

Stands in for `module._parameters`, so that a weight used outside its module's forward (a tied
head, a functional call) is there too.
"""

from collections.abc import ItemsView, ValuesView
from typing import Any

from torch import nn

from raylm.parallel.zero.eager import eager
from raylm.parallel.zero.flat import Flat, Presence
from raylm.parallel.zero.residency import Residency


class WatchedParameters(dict[str, nn.Parameter | None]):
    def __init__(
        self,
        parameters: dict[str, nn.Parameter | None],
        flats: dict[str, Flat],
        residency: Residency,
    ) -> None:
        super().__init__(parameters)
        self._flats = flats
        self._residency = residency

    def __getitem__(self, name: str) -> nn.Parameter | None:
        flat = self._flats.get(name)
        if flat is not None and not (flat.is_whole and flat.presence is Presence.GATHERED):
            self._residency.touch(flat)
        return super().__getitem__(name)

    def items(self) -> ItemsView[str, nn.Parameter | None]:  # type: ignore[override]
        self._settle()
        return super().items()

    def values(self) -> ValuesView[nn.Parameter | None]:  # type: ignore[override]
        self._settle()
        return super().values()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    @eager
    def _settle(self) -> None:
        """An update on its way to parameters that stay here has arrived."""
        for flat in self._flats.values():
            if flat.is_whole:
                flat.finish_gather()
