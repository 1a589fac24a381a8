"""Attention."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _attention(draw: Draw) -> Iterator[Arguments]:
    for queries, keys, heads, kv_heads, options in (
        (5, 5, 2, 2, (True, 0, 0.0, 0.0)),
        (7, 7, 4, 1, (False, 0, 0.0, 0.3)),
        (3, 9, 6, 2, (True, 0, 0.0, 0.0)),
        (9, 9, 4, 2, (True, 3, 5.0, 0.0)),
        (6, 2, 2, 1, (True, 0, 0.0, 0.0)),  # the first queries see nothing
        (4, 0, 2, 1, (True, 0, 0.0, 0.0)),
    ):
        k, v = (draw.normal(2, keys, kv_heads, 16) for _ in "kv")
        yield draw.normal(2, queries, heads, 16), k, v, None, *options
    for queries, keys, size, options in (  # tiles that all see whole, in part, or not at all
        (161, 161, 24, (True, 0, 0.0, 0.0)),
        (65, 100, 16, (False, 0, 2.0, 0.0)),
        (1, 97, 1, (True, 0, 0.0, 0.0)),
        (60, 100, 32, (True, 40, 0.0, 0.0)),
        (100, 40, 20, (True, 33, 0.0, 0.0)),
        (40, 33, 160, (True, 0, 0.0, 0.0)),
    ):
        k, v = (draw.normal(1, keys, 1, size) for _ in "kv")
        yield draw.normal(1, queries, 2, size), k, v, None, *options
    q, k, v = draw.normal(1, 2, 40, 3, 16).transpose(1, 2).unbind(3)  # views
    yield q, k, v, None, True, 0, 0.0, 0.0
    yield from _packed(draw)


def _packed(draw: Draw) -> Iterator[Arguments]:
    for length, starts, options in (
        (9, [0, 3, 3, 7], (True, 0, 0.0, 0.0)),
        (9, [0, 3, 3, 7], (False, 0, 0.0, 0.0)),
        (100, [0, 1, 50], (True, 0, 0.0, 0.0)),
        (100, [0, 1, 66, 100, 140], (False, 0, 0.0, 0.0)),
        (80, [0, 31], (True, 40, 3.0, 0.0)),
    ):
        k, v = (draw.normal(1, length, 1, 16) for _ in "kv")
        where = torch.tensor(starts, device=draw.device)
        yield draw.normal(1, length, 2, 16), k, v, where, *options


def _block_sparse_attention(draw: Draw) -> Iterator[Arguments]:
    for heads, shared, causal in ((4, True, True), (2, False, True), (2, False, False)):
        blocks = draw.integers(2, 1 if shared else heads, 3, 3).bool()
        blocks[:, 1] = False  # a row of which all blocks are masked
        k, v = (draw.normal(2, 10, heads // 2, 16) for _ in "kv")
        yield draw.normal(2, 10, heads, 16), k, v, blocks, 4, causal, 0.0
    for block_size, causal, queries, keys in (  # more than a tile of keys
        (32, True, 70, 100),
        (48, False, 60, 90),
        (96, True, 100, 130),
    ):
        rows, columns = (-(-length // block_size) for length in (queries, keys))
        k, v = (draw.normal(1, keys, 1, 32) for _ in "kv")
        blocks = draw.integers(3, 2, rows, columns) > 0
        yield draw.normal(1, queries, 2, 32), k, v, blocks, block_size, causal, 0.1


def _paged_attention(draw: Draw) -> Iterator[Arguments]:
    for tokens, length, heads, kv_heads, size in (
        (1, 17, 4, 1, 32),
        (5, 5, 2, 2, 64),
        (7, 40, 6, 2, 96),
        (70, 129, 2, 1, 20),  # more than a tile of queries and of keys
    ):
        caches = [draw.normal(160, kv_heads, size) for _ in "kv"]
        slots = draw.permutation(160)[:length]
        positions = torch.arange(length - tokens, length, device=draw.device)
        yield draw.normal(tokens, heads, size), *caches, slots, positions
    yield (
        draw.normal(2, 2, 32),
        *(draw.normal(4, 1, 32) for _ in "kv"),
        draw.permutation(4)[:0],
        draw.integers(1, 2),
    )


def _paged_decode_attention(draw: Draw) -> Iterator[Arguments]:
    for lengths, columns, block_size, heads, kv_heads, size, options in (
        ([17], 2, 16, 4, 1, 32, (0.0, 0.0)),
        ([1, 0, 40], 5, 8, 6, 2, 20, (0.0, 0.3)),
        ([64, 65, 3], 17, 4, 2, 2, 64, (5.0, 0.0)),
        ([0], 0, 16, 2, 1, 16, (0.0, 0.0)),
        ([300, 257], 20, 16, 20, 1, 16, (0.0, 0.0)),  # more heads than a tile has rows, and parts
        ([7, 2], 9, 1, 3, 3, 33, (0.0, 0.0)),
    ):
        blocks = max(1, len(lengths) * columns)
        caches = [draw.normal(blocks * block_size, kv_heads, size) for _ in "kv"]
        tables = draw.permutation(blocks)[: len(lengths) * columns].view(len(lengths), columns)
        for row, length in enumerate(lengths):
            tables[row, -(-length // block_size) :] = 2**31 - 1  # may not be read
        seen = torch.tensor(lengths, device=draw.device)
        yield draw.normal(len(lengths), heads, size), *caches, tables, seen, block_size, *options
    caches = [draw.normal(32, 2, 2, 32)[:, place] for place in range(2)]  # rows of a larger cache
    q, tables = draw.normal(2, 8, 2, 32)[:, :, 1], torch.tensor([[1, 0], [3, 2]]).int()
    seen = torch.tensor([16, 9]).int().to(draw.device)
    yield q, *caches, tables.to(draw.device), seen, 8, 0.0, 0.0
    halves = [cache.half() for cache in caches]
    yield q, *halves, tables.to(draw.device), seen.long(), 8, 0.0, 0.0
    yield q[:0], *caches, tables[:0].to(draw.device), seen[:0], 8, 0.0, 0.0


CASES: Mapping[str, Cases] = {
    "attention": _attention,
    "block_sparse_attention": _block_sparse_attention,
    "paged_attention": _paged_attention,
    "paged_decode_attention": _paged_decode_attention,
}
