"""A model's tensors by Hugging Face name, read only when asked for."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from raylm.core.errors import WeightsError
from raylm.models.spec import ModelSpec


class Weights(Mapping[str, Tensor]):
    """`weights[name]` reads the tensor anew each time; everything else costs no read.

    `fingerprint` is another one when a tensor may be another one; None if nobody can tell.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], fingerprint: str | None = None
    ) -> None:
        self.shapes = shapes
        self.fingerprint = fingerprint

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __contains__(self, name: object) -> bool:
        return name in self.shapes  # Mapping's own would read the tensor

    def part(self, name: str, rows: slice, columns: slice) -> Tensor:
        """Of a matrix, or the `rows` of a vector. Formats that can read no more than that do so."""
        return self[name][places(self.shapes[name], rows, columns)].clone()

    def check(self, spec: ModelSpec) -> None:
        """Raises WeightsError unless every parameter of `spec` is here in its shape."""
        for name, expected in spec.parameters():
            if name not in self.shapes:
                raise WeightsError(f"the tensor {name!r} is missing")
            if self.shapes[name] != expected:
                raise WeightsError(
                    f"the tensor {name!r} has the shape {self.shapes[name]}, not {expected}"
                )


def places(shape: tuple[int, ...], rows: slice, columns: slice) -> tuple[slice, ...]:
    """A vector has no columns."""
    return (rows, columns)[: len(shape)]
