"""Gradients in flat buckets, summed over the ranks while the backward pass still runs.

Parameters are taken in reverse order, roughly the order in which their gradients become
ready. Each bucket is one flat buffer and every `.grad` a view of it, so that a bucket is
reduced in place and the norm, the scaling and the clearing each touch a few large tensors.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from raylm.train.communicator import Communicator

BUCKET_BYTES = 8 * 2**20


@dataclass(slots=True)
class Bucket:
    flat: Tensor
    members: int
    missing: int = 0  # gradients not ready yet in this pass
    work: dist.Work | None = field(default=None, repr=False)


class GradientBuckets:
    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        communicator: Communicator,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        self._communicator = communicator
        self._reducing = False
        self._launched = 0
        trained = [p for p in parameters if p.requires_grad]
        self.buckets = [self._build(part) for part in _partition(trained[::-1], bucket_bytes)]

    @property
    def size_bytes(self) -> int:
        return sum(bucket.flat.nbytes for bucket in self.buckets)

    def clear(self) -> None:
        for bucket in self.buckets:
            bucket.flat.zero_()

    @contextmanager
    def reduced(self, last: bool) -> Iterator[None]:
        """Around a backward pass: the last one of a step leaves the sum over all ranks."""
        self._reducing = last
        self._launched = 0
        for bucket in self.buckets:
            bucket.missing = bucket.members
        yield
        if last:
            self._launch(everything=True)
            for bucket in self.buckets:
                if bucket.work is not None:
                    bucket.work.wait()
                    bucket.work = None

    def norm(self) -> float:
        norms = torch.stack([torch.linalg.vector_norm(b.flat) for b in self.buckets])
        return float(torch.linalg.vector_norm(norms))

    def scale(self, factor: float) -> None:
        if factor != 1.0:
            for bucket in self.buckets:
                bucket.flat.mul_(factor)

    def _build(self, members: list[nn.Parameter]) -> Bucket:
        size = sum(p.numel() for p in members)
        flat = torch.zeros(size, dtype=members[0].dtype, device=members[0].device)
        bucket = Bucket(flat, len(members))
        offset = 0
        for parameter in members:
            parameter.grad = flat[offset : offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()
            parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                partial(self._ready, bucket)
            )
        return bucket

    def _ready(self, bucket: Bucket, parameter: nn.Parameter) -> None:
        bucket.missing -= 1
        if self._reducing:
            self._launch()

    def _launch(self, everything: bool = False) -> None:
        """In bucket order on every rank, for collectives must meet in the same order."""
        while self._launched < len(self.buckets):
            bucket = self.buckets[self._launched]
            if bucket.missing and not everything:
                return
            bucket.work = self._communicator.start_all_reduce(bucket.flat)
            self._launched += 1


def _partition(parameters: list[nn.Parameter], bucket_bytes: int) -> Iterator[list[nn.Parameter]]:
    """Runs of one dtype and device of at most `bucket_bytes`, or of one larger parameter."""
    part: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        foreign = part and (parameter.dtype, parameter.device) != (part[0].dtype, part[0].device)
        if part and (foreign or size + parameter.nbytes > bucket_bytes):
            yield part
            part, size = [], 0
        part.append(parameter)
        size += parameter.nbytes
    if part:
        yield part
