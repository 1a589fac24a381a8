"""Attention: over sequences, over packed ones, over a paged cache, over blocks that are kept."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_integers, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide


def _check_attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    starts: Tensor | None,
    causal: bool,
    window: int,
    softcap: float,
    scale: float,
) -> None:
    name = "attention"
    _check_heads(name, ("q_BTHD", q_BTHD), ("k_BSKD", k_BSKD), ("v_BSKD", v_BSKD), 4)
    require(k_BSKD.shape[0] == q_BTHD.shape[0], name, "k_BSKD", f"{len(q_BTHD)} sequences", k_BSKD)
    require(window >= 0, name, "window", "0 (none) or more", window)
    require(window == 0 or causal, name, "window", "0 where attention is not causal", window)
    require(softcap >= 0, name, "softcap", "0 (none) or more", softcap)
    if starts is not None:
        require_integers(name, "starts", starts)
        packed = len(q_BTHD) == 1 and q_BTHD.shape[1] == k_BSKD.shape[1]
        require(packed, name, "q_BTHD", "one row of as many queries as keys", q_BTHD)


@op(gradients=("q_BTHD", "k_BSKD", "v_BSKD"), check=_check_attention, keeps_results=True)
def attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    starts: Tensor | None = None,
    causal: bool = True,
    window: int = 0,
    softcap: float = 0.0,
    scale: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """softmax(q k^T scale) v, and the logarithm of each row's sum of exponentials, B x H x T in
    fp32 (Dao 2023, https://arxiv.org/abs/2307.08691).

    H query heads share K heads of keys. `starts`: where each of the sequences packed into one row
    begins, 0 first. `causal`: the last query sees all keys. `window`: see so many positions back,
    its own among them. `softcap`: scores become softcap * tanh(score / softcap). `scale`: 0 stands
    for D^-0.5. A query that sees nothing gets zeros, and -inf.
    """
    queries, keys = q_BTHD.shape[1], k_BSKD.shape[1]
    at = torch.arange(queries, device=q_BTHD.device)[:, None] + (keys - queries)
    key_at = torch.arange(keys, device=q_BTHD.device)[None, :]
    seen = key_at <= at if causal else torch.ones_like(key_at <= at)
    if window:
        seen &= key_at > at - window
    if starts is not None:
        sequence = torch.searchsorted(starts.long(), key_at[0].contiguous(), right=True)
        seen = seen & (sequence[:, None] == sequence[None, :])
    return _attend(q_BTHD, k_BSKD, v_BSKD, seen, softcap, scale)


def _check_block_sparse(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> None:
    name = "block_sparse_attention"
    _check_heads(name, ("q_BTHD", q_BTHD), ("k_BSKD", k_BSKD), ("v_BSKD", v_BSKD), 4)
    require(block_size >= 1, name, "block_size", "1 or more", block_size)
    require(blocks_HRC.dtype == torch.bool, name, "blocks_HRC", "bool", blocks_HRC)
    heads, rows, columns = q_BTHD.shape[2], q_BTHD.shape[1], k_BSKD.shape[1]
    wanted = (-(-rows // block_size), -(-columns // block_size))
    ok = blocks_HRC.ndim == 3 and tuple(blocks_HRC.shape[1:]) == wanted
    ok = ok and blocks_HRC.shape[0] in (1, heads)
    require(ok, name, "blocks_HRC", f"shape [1 or {heads}, {wanted[0]}, {wanted[1]}]", blocks_HRC)


@op(gradients=("q_BTHD", "k_BSKD", "v_BSKD"), check=_check_block_sparse, keeps_results=True)
def block_sparse_attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool = True,
    scale: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """`attention` of blocks of queries to those blocks of keys that `blocks_HRC` keeps, for each
    head or for all (Child et al. 2019, https://arxiv.org/abs/1904.10509)."""
    queries, keys = q_BTHD.shape[1], k_BSKD.shape[1]
    wide_rows = blocks_HRC.repeat_interleave(block_size, 1)[:, :queries]
    seen = wide_rows.repeat_interleave(block_size, 2)[:, :, :keys]
    if causal:
        at = torch.arange(queries, device=q_BTHD.device)[:, None] + (keys - queries)
        seen = seen & (torch.arange(keys, device=q_BTHD.device)[None, :] <= at)
    return _attend(q_BTHD, k_BSKD, v_BSKD, seen, 0.0, scale)


def _check_paged_attention(
    q_NHD: Tensor, keys_SKD: Tensor, values_SKD: Tensor, slots_L: Tensor, positions_N: Tensor
) -> None:
    name = "paged_attention"
    _check_heads(name, ("q_NHD", q_NHD), ("keys_SKD", keys_SKD), ("values_SKD", values_SKD), 3)
    require(slots_L.ndim == 1, name, "slots_L", "one dimension", slots_L)
    require_integers(name, "slots_L", slots_L)
    require_shape(name, "positions_N", positions_N, (len(q_NHD),))


@op(check=_check_paged_attention)
def paged_attention(
    q_NHD: Tensor, keys_SKD: Tensor, values_SKD: Tensor, slots_L: Tensor, positions_N: Tensor
) -> Tensor:
    """Causal attention of one sequence's queries over cache slots.

    `slots_L[p]` is where position p lies in the caches; query n sees positions up to its own, and
    one that sees none gets zeros.
    """
    slots = slots_L.long()
    seen = torch.arange(len(slots), device=q_NHD.device)[None, :] <= positions_N[:, None]
    keys, values = keys_SKD[slots], values_SKD[slots]
    return _attend(q_NHD[None], keys[None], values[None], seen, 0.0, 0.0)[0][0]


def _check_paged_decode_attention(
    q_BHD: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    block_tables_BP: Tensor,
    lengths_B: Tensor,
    block_size: int,
    softcap: float,
    scale: float,
) -> None:
    name = "paged_decode_attention"
    _check_heads(name, ("q_BHD", q_BHD), ("keys_SKD", keys_SKD), ("values_SKD", values_SKD), 3)
    tables = block_tables_BP
    fits = tables.ndim == 2 and len(tables) == len(q_BHD)
    require(fits, name, "block_tables_BP", f"a table for each of {len(q_BHD)} queries", tables)
    require_integers(name, "block_tables_BP", tables)
    require_shape(name, "lengths_B", lengths_B, (len(q_BHD),))
    require_integers(name, "lengths_B", lengths_B)
    require(block_size >= 1, name, "block_size", "1 or more", block_size)
    require(softcap >= 0, name, "softcap", "0 (none) or more", softcap)


@op(check=_check_paged_decode_attention)
def paged_decode_attention(
    q_BHD: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    block_tables_BP: Tensor,
    lengths_B: Tensor,
    block_size: int,
    softcap: float = 0.0,
    scale: float = 0.0,
) -> Tensor:
    """Attention of one query of each sequence over a paged cache (Kwon et al. 2023,
    https://arxiv.org/abs/2309.06180).

    Position p of sequence b lies in slot block_tables[b, p // block_size] * block_size +
    p % block_size. `lengths_B`: how many positions a query sees, its own among them; one that sees
    none gets zeros. What stands in a table beyond them is not read. `softcap`, `scale`: as in
    `attention`.
    """
    offsets = torch.arange(block_size, device=q_BHD.device)
    slots_BL = (block_tables_BP.long()[:, :, None] * block_size + offsets).flatten(1)
    seen_BL = torch.arange(slots_BL.shape[1], device=q_BHD.device) < lengths_B[:, None]
    slots_BL = slots_BL.where(seen_BL, 0)
    keys, values = (
        cache[slots_BL].masked_fill(~seen_BL[:, :, None, None], 0.0)
        for cache in (keys_SKD, values_SKD)
    )
    return _attend(q_BHD[:, None], keys, values, seen_BL[:, None, None], softcap, scale)[0][:, 0]


def _attend(
    q_BTHD: Tensor, k_BSKD: Tensor, v_BSKD: Tensor, seen: Tensor, softcap: float, scale: float
) -> tuple[Tensor, Tensor]:
    """`seen`: T x S, or with heads and sequences before."""
    group = q_BTHD.shape[2] // k_BSKD.shape[2]
    q = wide(q_BTHD)
    keys = k_BSKD.to(q.dtype).repeat_interleave(group, dim=2)
    values = v_BSKD.to(q.dtype).repeat_interleave(group, dim=2)
    scores = torch.einsum("bthd,bshd->bhts", q, keys) * (scale or q.shape[-1] ** -0.5)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, -torch.inf)
    # What sees nothing is computed with finite numbers, so that its gradients are zeros, too.
    is_blind = ~seen.any(-1, keepdim=True)
    weights = scores.masked_fill(is_blind, 0.0).softmax(-1).masked_fill(is_blind, 0.0)
    total = (
        scores.masked_fill(is_blind, 0.0).logsumexp(-1).masked_fill(is_blind[..., 0], -torch.inf)
    )
    out = torch.einsum("bhts,bshd->bthd", weights, values).to(q_BTHD.dtype)
    return out.contiguous(), total


def _check_heads(
    op: str,
    queries: tuple[str, Tensor],
    keys: tuple[str, Tensor],
    values: tuple[str, Tensor],
    n: int,
) -> None:
    (q_name, q), (k_name, k), (v_name, v) = queries, keys, values
    require(q.ndim == n, op, q_name, f"{n} dimensions", q)
    require(k.ndim == n, op, k_name, f"{n} dimensions", k)
    heads, kv_heads = q.shape[-2], k.shape[-2]
    divides = kv_heads > 0 and heads % kv_heads == 0
    require(divides, op, k_name, f"a number of heads that divides {heads}", k)
    require_shape(op, k_name, k, (*k.shape[:-1], q.shape[-1]))
    require_shape(op, v_name, v, tuple(k.shape))
