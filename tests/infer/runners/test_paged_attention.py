import torch

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.paged_attention import PagedAttention
from raylm.nn.attention import CausalAttention

BLOCK_SIZE, HEADS, KV_HEADS, HEAD_DIM = 4, 6, 2, 8


def batch(lengths: list[int], starts: list[int], tables: list[list[int]]) -> Batch:
    positions = [
        p for n, first in zip(lengths, starts, strict=True) for p in range(first, first + n)
    ]
    edges = torch.tensor([0, *lengths]).cumsum(0)
    longest = max(map(len, tables))
    return Batch(
        tokens_N=torch.zeros(len(positions), dtype=torch.int32),
        positions_N=torch.tensor(positions, dtype=torch.int32),
        sequence_starts_S1=edges.int(),
        block_tables_SB=torch.tensor([t + [0] * (longest - len(t)) for t in tables]).int(),
        logit_rows_R=torch.zeros(0, dtype=torch.int32),
    )


def test_sequences_of_any_length_see_their_own_past_alone() -> None:
    """The rest of the cache is full of what would drown every other value."""
    torch.manual_seed(0)
    cache = torch.full((1, 2, 20 * BLOCK_SIZE, KV_HEADS, HEAD_DIM), 1e4)
    lengths, tables = [11, 5, 14], [[7, 3, 12], [5, 19], [1, 18, 9, 2]]
    q, k, v = (
        [torch.randn(n, heads, HEAD_DIM) for n in lengths] for heads in (HEADS, KV_HEADS, KV_HEADS)
    )
    expected = [
        CausalAttention(1, n, q[0].device).attend(0, *parts)
        for n, *parts in zip(lengths, q, k, v, strict=True)
    ]
    done = [0, 0, 0]
    # a prefill beside others, a chunk after a chunk, decodes of unequal pasts
    for step in ([4, 5, 0], [6, 0, 8], [1, 0, 5], [0, 0, 1]):
        who = [s for s in range(3) if step[s]]
        rows = [slice(done[s], done[s] + step[s]) for s in who]
        flat = batch([step[s] for s in who], [done[s] for s in who], [tables[s] for s in who])
        found = PagedAttention.of(flat, cache, BLOCK_SIZE).attend(
            0, *(torch.cat([x[s][r] for s, r in zip(who, rows, strict=True)]) for x in (q, k, v))
        )
        wanted = torch.cat([expected[s][r] for s, r in zip(who, rows, strict=True)])
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        for s in who:
            done[s] += step[s]
    assert done == lengths


def test_decodes_of_unequal_pasts_share_a_call() -> None:
    torch.manual_seed(1)
    cache = torch.full((1, 2, 8 * BLOCK_SIZE, KV_HEADS, HEAD_DIM), 1e4)
    lengths, tables = [9, 2], [[6, 1, 4], [3]]
    q, k, v = (
        [torch.randn(n, heads, HEAD_DIM) for n in lengths] for heads in (HEADS, KV_HEADS, KV_HEADS)
    )
    before, last = [n - 1 for n in lengths], [1, 1]
    PagedAttention.of(batch(before, [0, 0], tables), cache, BLOCK_SIZE).attend(
        0, *(torch.cat([part[:-1] for part in x]) for x in (q, k, v))
    )
    found = PagedAttention.of(batch(last, before, tables), cache, BLOCK_SIZE).attend(
        0, *(torch.cat([part[-1:] for part in x]) for x in (q, k, v))
    )
    for row, n, *parts in zip(found, lengths, q, k, v, strict=True):
        wanted = CausalAttention(1, n, row.device).attend(0, *parts)[-1]
        torch.testing.assert_close(row, wanted, atol=1e-5, rtol=1e-5)
