"""Which rank does what where a model is split: integers alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topology:
    """`pipeline` stages of consecutive layers, each held by `tensor` ranks.

    The ranks of a stage are neighbours, and so are workers of one node: within a stage ranks wait
    for each other twice a layer, stages once a step.
    """

    tensor: int = 1
    pipeline: int = 1

    @property
    def world_size(self) -> int:
        return self.tensor * self.pipeline

    @property
    def stages(self) -> list[range]:
        """The ranks of each."""
        return [range(s * self.tensor, (s + 1) * self.tensor) for s in range(self.pipeline)]

    def stage(self, rank: int) -> int:
        return rank // self.tensor

    def tensor_rank(self, rank: int) -> int:
        """Within its stage."""
        return rank % self.tensor
