"""A model's tensors by Hugging Face name, read only when asked for."""

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from raylm.core.errors import WeightsError
from raylm.models.spec import ModelSpec


class Weights(Mapping[str, Tensor]):
    """Every access reads the file again and returns a tensor of the caller's own."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading the tensor; KeyError where there is none."""

    def check(self, spec: ModelSpec) -> None:
        """Raises WeightsError unless every parameter of `spec` is here in its shape."""
        for name, expected in spec.parameters():
            if name not in self:
                raise WeightsError(f"the tensor {name!r} is missing")
            if self.shape(name) != expected:
                raise WeightsError(
                    f"the tensor {name!r} has the shape {self.shape(name)}, not {expected}"
                )
