"""Which units' parameters share a buffer, and which buffers stay whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import nn

from raylm.core.partition import buckets
from raylm.core.schema import ZeroConfig
from raylm.parallel.zero.units import Unit, blocks_and_leaves, find_units, of_classes


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Units that share buffers, and the parameters of each buffer: alike in dtype and in
    whether they are trained."""

    units: list[Unit]
    buffers: list[dict[str, nn.Parameter]]


def arrange(model: nn.Module, config: ZeroConfig) -> Iterator[Arrangement]:
    """In registration order. Small neighbours share a buffer where nothing is gathered unit by
    unit."""
    rule = of_classes(config.units, model) if config.units else blocks_and_leaves
    units = find_units(model, rule)
    limit = 0 if config.stage == 3 else config.bucket_bytes
    sized = [(unit, sum(p.nbytes for p in unit.parameters.values())) for unit in units]
    for members in buckets(sized, limit):
        yield Arrangement(members, list(_alike(members)))


def stays_whole(config: ZeroConfig, numel: int) -> bool:
    return config.stage < 3 or numel <= config.persistence_threshold


def _alike(units: Sequence[Unit]) -> Iterator[dict[str, nn.Parameter]]:
    named = [item for unit in units for item in unit.parameters.items()]
    for _, members in groupby(sorted(named, key=_kind), key=_kind):
        yield dict(members)


def _kind(item: tuple[str, nn.Parameter]) -> tuple[str, bool]:
    return str(item[1].dtype), item[1].requires_grad
