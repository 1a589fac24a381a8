"""The norm of all gradients, and their clipping by it: many tensors a launch, sums in one order."""

from collections.abc import Iterator

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import optimizer
from raylm_kernels.triton.launched import launched

_BLOCK = 4096
_MOST_TOGETHER = 16  # tensors of a launch
_MOST_ELEMENTS = 2**30  # of one of them: sizes are 32-bit
_MANY_ELEMENTS = 2**24  # fewer would leave processors without a large part
_SMALL_PART = 2 * _BLOCK


@triton.jit
def _part_of(tensors, sizes, PART: tl.constexpr):
    """The tensor of which this program has a part, and where the part starts and ends."""
    part = tl.program_id(0)
    ptr, start, size = tensors[0], part * PART, sizes[0]
    first = tl.cdiv(sizes[0], PART)
    for i in tl.static_range(1, len(tensors)):
        is_here = part >= first
        ptr = tl.where(is_here, tensors[i], ptr)
        start = tl.where(is_here, (part - first) * PART, start)
        size = tl.where(is_here, sizes[i], size)
        first += tl.cdiv(sizes[i], PART)
    return ptr, start, tl.minimum(start + PART, size)


@triton.jit(do_not_specialize=["sizes", "before"])
def partial_squares_kernel(
    tensors, sizes, sums_ptr, before, PART: tl.constexpr, BLOCK: tl.constexpr
):
    ptr, start, end = _part_of(tensors, sizes, PART)
    offsets = tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK,), tl.float32)
    whole = start + (end - start) // BLOCK * BLOCK
    for at in range(start, whole, BLOCK):
        x = tl.load(ptr + at + offsets).to(tl.float32)
        sums += x * x
    if whole < end:
        x = tl.load(ptr + whole + offsets, whole + offsets < end, other=0.0).to(tl.float32)
        sums += x * x
    tl.store(sums_ptr + before + tl.program_id(0), tl.sum(sums))


@triton.jit(do_not_specialize=["count"])
def sum_kernel(sums_ptr, total_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK,), tl.float32)
    for at in range(0, count, BLOCK):
        sums += tl.load(sums_ptr + at + offsets, at + offsets < count, other=0.0)
    tl.store(total_ptr, tl.sum(sums))


@triton.jit(do_not_specialize=["sizes"])
def unscale_and_clip_kernel(
    tensors, sizes, squared_norm_ptr, scale, max_norm, PART: tl.constexpr, BLOCK: tl.constexpr
):
    ptr, start, end = _part_of(tensors, sizes, PART)
    norm = tl.sqrt(tl.load(squared_norm_ptr).to(tl.float32)) / scale
    clip = max_norm / (norm + 1e-6)
    factor = tl.where(clip > 1.0, 1.0, clip) / scale  # NaN stays
    offsets = tl.arange(0, BLOCK)
    whole = start + (end - start) // BLOCK * BLOCK
    for at in range(start, whole, BLOCK):
        x = tl.load(ptr + at + offsets).to(tl.float32) * factor
        tl.store(ptr + at + offsets, x.to(ptr.dtype.element_ty))
    if whole < end:
        inside = whole + offsets < end
        x = tl.load(ptr + whole + offsets, inside).to(tl.float32) * factor
        tl.store(ptr + whole + offsets, x.to(ptr.dtype.element_ty), inside)


def _groups(gradients: list[Tensor]) -> Iterator[tuple[tuple[Tensor, ...], tuple[int, ...]]]:
    """Tensors of one dtype and alignment with their sizes, a power of two of them."""
    alike: dict[tuple[torch.dtype, bool], list[Tensor]] = {}
    for gradient in gradients:
        for piece in gradient.view(-1).split(_MOST_ELEMENTS) if gradient.numel() else ():
            alike.setdefault((piece.dtype, piece.data_ptr() % 16 == 0), []).append(piece)
    for pieces in alike.values():
        for first in range(0, len(pieces), _MOST_TOGETHER):
            group = pieces[first : first + _MOST_TOGETHER]
            padding = triton.next_power_of_2(len(group)) - len(group)
            sizes = [piece.numel() for piece in group] + [0] * padding
            yield (*group, *[group[-1]] * padding), tuple(sizes)


def _part(gradients: list[Tensor]) -> int:
    """Elements of a program that sums: of many, large ones, for there are so many sums to add."""
    is_many = sum(gradient.numel() for gradient in gradients) >= _MANY_ELEMENTS
    return 16 * _BLOCK if is_many else _SMALL_PART


def _are_real(gradients: list[Tensor]) -> bool:
    is_real = all(g.dtype in (torch.float32, torch.bfloat16, torch.float16) for g in gradients)
    return is_real and any(gradient.numel() for gradient in gradients)


@launched(optimizer.squared_norm, _are_real)
def squared_norm(gradients: list[Tensor]) -> Tensor:
    gradients = [gradient.contiguous() for gradient in gradients]
    part = _part(gradients)
    groups = list(_groups(gradients))
    counts = [sum(triton.cdiv(size, part) for size in sizes) for _, sizes in groups]
    sums = gradients[0].new_empty(sum(counts), dtype=torch.float32)
    before = 0
    for (tensors, sizes), count in zip(groups, counts, strict=True):
        partial_squares_kernel[(count,)](
            *(tensors, sizes, sums, before), PART=part, BLOCK=_BLOCK, num_warps=8
        )
        before += count
    total = sums.new_empty(())
    sum_kernel[(1,)](sums, total, len(sums), BLOCK=8192, num_warps=16)
    return total


def _are_ours_to_clip(gradients: list[Tensor], squared_norm: Tensor, *numbers: float) -> bool:
    is_near = squared_norm.device == gradients[0].device
    return is_near and _are_real(gradients) and all(g.is_contiguous() for g in gradients)


@launched(optimizer.unscale_and_clip, _are_ours_to_clip)
def unscale_and_clip(
    gradients: list[Tensor], squared_norm: Tensor, scale: float, max_norm: float
) -> None:
    for tensors, sizes in _groups(gradients):
        count = sum(triton.cdiv(size, _SMALL_PART) for size in sizes)
        unscale_and_clip_kernel[(count,)](
            *(tensors, sizes, squared_norm, float(scale), float(max_norm)),
            PART=_SMALL_PART,
            BLOCK=_BLOCK,
            num_warps=8,
        )
