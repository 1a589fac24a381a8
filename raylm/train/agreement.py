"""What all ranks must know before an update, in one small all-reduce."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from raylm.collectives.communicator import Communicator
from raylm.parallel.zero.gradients import Gradients


@dataclass(frozen=True, slots=True)
class Agreement:
    """Equal on every rank. `norm` is of the summed gradients as they are; `sums` are over the
    ranks; `used` are the parameters that got a gradient on any of them."""

    norm: float
    sums: tuple[float, ...]
    used: frozenset[str]


@torch.no_grad()
def agree(
    gradients: Sequence[Gradients], communicator: Communicator, numbers: Sequence[torch.Tensor]
) -> Agreement:
    """`numbers` are scalars of this rank, to be summed."""
    device = numbers[0].device
    squares = torch.zeros((), dtype=torch.float64, device=device)
    for part in gradients:
        dtype = torch.float64 if part.shard.dtype == torch.float64 else torch.float32
        squares += torch.linalg.vector_norm(part.shard, dtype=dtype).double().square()
    names = [name for part in gradients for name in part.flat.parameters]
    flags = [float(is_used) for part in gradients for is_used in part.used]
    totals = torch.cat(
        (
            torch.stack((squares, *(number.double() for number in numbers))),
            torch.tensor(flags, dtype=torch.float64, device=device),
        )
    )
    communicator.all_reduce(totals, "the step's totals")
    square, *rest = totals.tolist()
    counts = rest[len(numbers) :]
    return Agreement(
        norm=math.sqrt(square) if square >= 0 else math.nan,
        sums=tuple(rest[: len(numbers)]),
        used=frozenset(name for name, count in zip(names, counts, strict=True) if count),
    )
