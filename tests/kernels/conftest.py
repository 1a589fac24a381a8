"""Small random decoders and a plain PyTorch forward pass to judge the packed one by."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch.nn.functional import embedding, linear

from raylm_kernels.cpu import build
from raylm_kernels.cpu.decoder import DecoderDims, PackedDecoder
from raylm_kernels.custom import cache_dir
from raylm_kernels.quantize import dequantize_weight, quantize_weight
from raylm_kernels.testing import reference


@pytest.fixture(autouse=True)
def _same_numbers_every_run() -> None:
    torch.manual_seed(0)


@pytest.fixture
def compiled() -> None:
    """Skips what needs the compiled kernels where they cannot be built."""
    works, reason = build.available()
    if not works:
        pytest.skip(reason)


@pytest.fixture(params=sorted(build.ISA_FLAGS))
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every instruction set this machine can run, in use."""
    if request.param not in build.isas():
        pytest.skip(f"this machine cannot run {request.param}")
    with build.using(request.param):
        yield request.param


@pytest.fixture
def packed_files(compiled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packed weights: not there yet, beside the compiled kernels."""
    kernels, root = cache_dir(), tmp_path / "cache"
    root.mkdir()
    (root / "kernels").symlink_to(kernels)
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(root))
    monkeypatch.delenv("RAYLM_PACKED_CACHE_GIB", raising=False)
    return root / "packed"


class Unread(Mapping[str, torch.Tensor]):
    """Weights that nobody may look at."""

    def __getitem__(self, name: str) -> torch.Tensor:
        raise AssertionError(f"{name} was read")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the names were read")

    def __len__(self) -> int:
        raise AssertionError("the number was read")


@dataclasses.dataclass(frozen=True)
class Toy:
    """A random model, and the sequences it is asked about."""

    dims: DecoderDims
    weights: Mapping[str, torch.Tensor]

    def packed(self, **options) -> PackedDecoder:
        defaults = {"weight_bits": 8, "threads": 1, "num_blocks": 32, "block_size": 16}
        return PackedDecoder(self.dims, self.weights, **(defaults | options))

    def unread(self) -> "Toy":
        """The same model, whose packed weights must be found on disk."""
        return dataclasses.replace(self, weights=Unread())

    def answer(self, **options) -> torch.Tensor:
        """Logits of a decoder that is made for them."""
        tokens = torch.arange(2, 40, dtype=torch.int32)
        places = torch.arange(38, dtype=torch.int32)
        blocks = torch.arange(32, dtype=torch.int32)[None]
        starts = torch.tensor([0, 38], dtype=torch.int32)
        return self.packed(**options).forward(tokens, places, starts, blocks, places)

    def logits(self, tokens: torch.Tensor, *, weight_bits: int, head_bits: int = 8) -> torch.Tensor:
        """fp32 logits_NV of one sequence over the weights that a packed decoder would hold."""
        return plain_forward(self.dims, self.dequantized(weight_bits, head_bits), tokens)

    def dequantized(self, weight_bits: int, head_bits: int) -> dict[str, torch.Tensor]:
        embedding_bits = head_bits if self.dims.tie_embeddings else 8
        bits = {"model.embed_tokens.weight": embedding_bits, "lm_head.weight": head_bits}

        def rounded(name: str, weight: torch.Tensor) -> torch.Tensor:
            if weight.ndim == 1:
                return weight
            extra = -weight.shape[1] % 32
            padded = torch.nn.functional.pad(weight, (0, extra))
            return dequantize_weight(quantize_weight(padded, bits.get(name, weight_bits)))[
                :, : weight.shape[1]
            ]

        return {name: rounded(name, weight) for name, weight in self.weights.items()}


def plain_forward(
    dims: DecoderDims, weights: dict[str, torch.Tensor], tokens: torch.Tensor
) -> torch.Tensor:
    positions = torch.arange(len(tokens))
    hidden = embedding(tokens.long(), weights["model.embed_tokens.weight"])
    for layer in range(dims.num_layers):
        at = f"model.layers.{layer}."

        def normed(name: str, x: torch.Tensor, at: str = at) -> torch.Tensor:
            return reference("rms_norm")(x, weights[at + name], dims.norm_eps)

        def heads(name: str, x: torch.Tensor, at: str = at) -> torch.Tensor:
            full = f"{at}self_attn.{name}_proj"
            y = linear(x, weights[full + ".weight"], weights.get(full + ".bias"))
            return y.unflatten(-1, (-1, dims.head_dim))

        x = normed("input_layernorm.weight", hidden)
        q, k, v = (heads(name, x) for name in "qkv")
        if dims.qk_norm:
            q, k = normed("self_attn.q_norm.weight", q), normed("self_attn.k_norm.weight", k)
        q, k = (
            reference("rope")(t, positions, dims.inv_freq, dims.rope_attention_factor)
            for t in (q, k)
        )
        mixed = reference("paged_attention")(q, k, v, positions, positions).flatten(1)
        out = at + "self_attn.o_proj"
        hidden = hidden + linear(mixed, weights[out + ".weight"], weights.get(out + ".bias"))
        x = normed("post_attention_layernorm.weight", hidden)
        gate, up = (linear(x, weights[f"{at}mlp.{n}_proj.weight"]) for n in ("gate", "up"))
        hidden = hidden + linear(
            reference("swiglu")(gate, up), weights[at + "mlp.down_proj.weight"]
        )
    hidden = reference("rms_norm")(hidden, weights["model.norm.weight"], dims.norm_eps)
    head = "model.embed_tokens.weight" if dims.tie_embeddings else "lm_head.weight"
    return linear(hidden, weights[head])


def random_weights(dims: DecoderDims, generator: torch.Generator) -> dict[str, torch.Tensor]:
    def matrix(rows: int, columns: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * scale * columns**-0.5

    def vector(size: int, around: float) -> torch.Tensor:
        return around + 0.1 * torch.randn(size, generator=generator)

    hidden, inner = dims.hidden_size, dims.intermediate_size
    weights = {
        "model.embed_tokens.weight": matrix(dims.vocab_size, hidden, hidden**0.5),
        "model.norm.weight": vector(hidden, 1.0),
    }
    if not dims.tie_embeddings:
        weights["lm_head.weight"] = matrix(dims.vocab_size, hidden)
    for layer in range(dims.num_layers):
        at = f"model.layers.{layer}."
        rows = {"q": dims.num_heads, "k": dims.num_kv_heads, "v": dims.num_kv_heads}
        for name, heads in rows.items():
            full = f"{at}self_attn.{name}_proj"
            weights[full + ".weight"] = matrix(heads * dims.head_dim, hidden)
            if dims.attention_bias:
                weights[full + ".bias"] = vector(heads * dims.head_dim, 0.0)
        weights[at + "self_attn.o_proj.weight"] = matrix(hidden, dims.num_heads * dims.head_dim)
        for name in ("gate", "up"):
            weights[f"{at}mlp.{name}_proj.weight"] = matrix(inner, hidden)
        weights[at + "mlp.down_proj.weight"] = matrix(hidden, inner)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{at}{name}.weight"] = vector(hidden, 1.0)
        if dims.qk_norm:
            for name in ("q_norm", "k_norm"):
                weights[f"{at}self_attn.{name}.weight"] = vector(dims.head_dim, 1.0)
    return weights


@pytest.fixture(scope="session")
def toy() -> Callable[..., Toy]:
    """Builds a small random model; keywords override its dimensions."""

    def build_toy(seed: int = 0, **changes) -> Toy:
        shape = {
            "vocab_size": 307,
            "hidden_size": 96,
            "intermediate_size": 160,
            "num_layers": 3,
            "num_heads": 6,
            "num_kv_heads": 2,
            "head_dim": 32,
            "norm_eps": 1e-5,
        } | changes
        shape.setdefault(
            "inv_freq", 10_000.0 ** (-torch.arange(0, shape["head_dim"], 2) / shape["head_dim"])
        )
        dims = DecoderDims(**shape)
        return Toy(dims, random_weights(dims, torch.Generator().manual_seed(seed)))

    return build_toy
