"""A checkpoint's tensors in the row and column order of the packed matrices, one at a time."""

from collections.abc import Iterator, Mapping

import torch
from torch.nn.functional import pad

from raylm_kernels.cpu.binding import MatrixKind, VectorKind
from raylm_kernels.cpu.dims import DecoderDims, round_up

Weights = Mapping[str, torch.Tensor]

_ROW_BLOCK = 16
_UNIT_ROWS = 32
_SLICE_ROWS = 8192  # of the vocabulary: bounds the fp32 copy


def matrices(
    dims: DecoderDims, weights: Weights
) -> Iterator[tuple[MatrixKind, int, int, torch.Tensor]]:
    """(kind, layer, first row, fp32 rows), rows a multiple of 32."""
    for layer in range(dims.num_layers):
        yield MatrixKind.QKV, layer, 0, _qkv(dims, weights, layer)
        yield MatrixKind.OUT, layer, 0, _out(dims, weights, layer)
        yield MatrixKind.GATE_UP, layer, 0, _gate_up(dims, weights, layer)
        yield MatrixKind.DOWN, layer, 0, _down(dims, weights, layer)
    embedding = "model.embed_tokens.weight"
    if dims.tie_embeddings:
        yield from _vocabulary(dims, weights, embedding, MatrixKind.HEAD)
    else:
        yield from _vocabulary(dims, weights, embedding, MatrixKind.EMBEDDING)
        yield from _vocabulary(dims, weights, "lm_head.weight", MatrixKind.HEAD)


def vectors(dims: DecoderDims, weights: Weights) -> Iterator[tuple[VectorKind, int, torch.Tensor]]:
    """(kind, layer, fp32 values)."""
    hidden = dims.hidden_size
    yield VectorKind.INV_FREQ, 0, dims.inv_freq.float()
    yield VectorKind.FINAL_NORM, 0, _take(weights, "model.norm.weight", hidden)
    for layer in range(dims.num_layers):
        at = f"model.layers.{layer}."
        yield VectorKind.INPUT_NORM, layer, _take(weights, at + "input_layernorm.weight", hidden)
        name = at + "post_attention_layernorm.weight"
        yield VectorKind.POST_NORM, layer, _take(weights, name, hidden)
        if dims.qk_norm:
            for kind, part in ((VectorKind.QUERY_NORM, "q_norm"), (VectorKind.KEY_NORM, "k_norm")):
                norm = _take(weights, f"{at}self_attn.{part}.weight", dims.head_dim)
                yield kind, layer, pad(norm, (0, dims.padded_head_dim - dims.head_dim))
        if dims.attention_bias:
            yield VectorKind.QKV_BIAS, layer, _qkv_bias(dims, weights, layer)
        if (name := at + "self_attn.o_proj.bias") in weights:
            yield VectorKind.OUT_BIAS, layer, _take(weights, name, hidden)


def _take(weights: Weights, name: str, *shape: int) -> torch.Tensor:
    if name not in weights:
        raise ValueError(f"weights lack {name!r}")
    tensor = weights[name]
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected {list(shape)}")
    return tensor.float().contiguous()


def _heads(dims: DecoderDims) -> tuple[tuple[str, int], ...]:
    return ("q_proj", dims.num_heads), ("k_proj", dims.num_kv_heads), ("v_proj", dims.num_kv_heads)


def _qkv(dims: DecoderDims, weights: Weights, layer: int) -> torch.Tensor:
    parts = []
    for name, heads in _heads(dims):
        full = f"model.layers.{layer}.self_attn.{name}.weight"
        weight = _take(weights, full, heads * dims.head_dim, dims.hidden_size)
        per_head = weight.view(heads, dims.head_dim, -1)
        parts.append(pad(per_head, (0, 0, 0, dims.padded_head_dim - dims.head_dim)).flatten(0, 1))
    return torch.cat(parts)


def _qkv_bias(dims: DecoderDims, weights: Weights, layer: int) -> torch.Tensor:
    parts = []
    for name, heads in _heads(dims):
        full = f"model.layers.{layer}.self_attn.{name}.bias"
        bias = _take(weights, full, heads * dims.head_dim).view(heads, dims.head_dim)
        parts.append(pad(bias, (0, dims.padded_head_dim - dims.head_dim)).flatten())
    return torch.cat(parts)


def _out(dims: DecoderDims, weights: Weights, layer: int) -> torch.Tensor:
    name = f"model.layers.{layer}.self_attn.o_proj.weight"
    weight = _take(weights, name, dims.hidden_size, dims.num_heads * dims.head_dim)
    per_head = weight.view(-1, dims.num_heads, dims.head_dim)
    return pad(per_head, (0, dims.padded_head_dim - dims.head_dim)).flatten(1)


def _gate_up(dims: DecoderDims, weights: Weights, layer: int) -> torch.Tensor:
    """Sixteen gate rows, then their sixteen up rows, and so on: silu(gate) * up stays local."""
    blocks = []
    for name in ("gate_proj", "up_proj"):
        full = f"model.layers.{layer}.mlp.{name}.weight"
        weight = _take(weights, full, dims.intermediate_size, dims.hidden_size)
        extra = dims.padded_intermediate_size - dims.intermediate_size
        blocks.append(pad(weight, (0, 0, 0, extra)).view(-1, _ROW_BLOCK, dims.hidden_size))
    return torch.stack(blocks, dim=1).flatten(0, 2)


def _down(dims: DecoderDims, weights: Weights, layer: int) -> torch.Tensor:
    name = f"model.layers.{layer}.mlp.down_proj.weight"
    weight = _take(weights, name, dims.hidden_size, dims.intermediate_size)
    return pad(weight, (0, dims.padded_intermediate_size - dims.intermediate_size))


def _vocabulary(
    dims: DecoderDims, weights: Weights, name: str, kind: MatrixKind
) -> Iterator[tuple[MatrixKind, int, int, torch.Tensor]]:
    if name not in weights:
        raise ValueError(f"weights lack {name!r}")
    table, shape = weights[name], (dims.vocab_size, dims.hidden_size)
    if table.shape != shape:
        raise ValueError(f"{name} has shape {list(table.shape)}, expected {list(shape)}")
    for first in range(0, dims.vocab_size, _SLICE_ROWS):
        rows = table[first : first + _SLICE_ROWS].float()
        yield kind, 0, first, pad(rows, (0, 0, 0, round_up(len(rows), _UNIT_ROWS) - len(rows)))
