"""The tensors of a GGUF file under Hugging Face names, dequantised when read."""

import re

import numpy as np
import numpy.typing as npt
import torch
from gguf.quants import dequantize
from torch import Tensor

from raylm.core.errors import WeightsError
from raylm.models.gguf_file import GgufFile
from raylm.models.spec import ModelSpec
from raylm.models.weights import Weights

_TOP = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")


class GgufWeights(Weights):
    """float32 tensors of `spec`; raises WeightsError for a kind nobody can dequantise."""

    def __init__(self, file: GgufFile, spec: ModelSpec) -> None:
        names = {name: _gguf_name(name) for name, _ in spec.parameters()}
        self._tensors = {n: file.tensors[g] for n, g in names.items() if g in file.tensors}
        shapes = {name: tensor.shape for name, tensor in self._tensors.items()}
        super().__init__(shapes, file.fingerprint)
        self._file = file
        self._heads = _permuted_heads(file, spec)

    def __getitem__(self, name: str) -> Tensor:
        return self._read(name, self._stored(name))

    def part(self, name: str, rows: slice, columns: slice) -> Tensor:
        """Whole rows are dequantised, whichever columns are wanted: blocks lie along them."""
        if len(self.shapes[name]) == 1:
            return self[name][rows].clone()
        return self._read(name, self._stored(name)[rows])[:, columns].contiguous()

    def _stored(self, name: str) -> npt.NDArray[np.uint8]:
        rows = self._file.rows(self._tensors[name].name)
        for projection, heads in self._heads.items():
            if projection in name:
                rows = _unpermute(rows, heads)
        return rows

    def _read(self, name: str, rows: npt.NDArray[np.uint8]) -> Tensor:
        tensor = self._tensors[name]
        try:
            values = dequantize(rows, tensor.kind)
        except NotImplementedError:
            raise WeightsError(
                f"tensor {tensor.name!r} is of the kind {tensor.kind.name}, which cannot be read"
            ) from None
        shape = (*rows.shape[:-1], tensor.shape[-1])
        return torch.from_numpy(np.require(values.reshape(shape), requirements="W"))


def _gguf_name(name: str) -> str:
    if match := _LAYER.fullmatch(name):
        layer, module, kind = match.groups()
        return f"blk.{layer}.{_IN_LAYER[module]}.{kind}"
    module, kind = name.rsplit(".", 1)
    return _TOP[module] + "." + kind


def _permuted_heads(file: GgufFile, spec: ModelSpec) -> dict[str, int]:
    """llama.cpp interleaves the halves of each query and key head, in the llama family alone."""
    if file.metadata.get("general.architecture") != "llama":
        return {}
    return {"self_attn.q_proj.": spec.num_heads, "self_attn.k_proj.": spec.num_kv_heads}


def _unpermute(rows: npt.NDArray[np.uint8], heads: int) -> npt.NDArray[np.uint8]:
    """Row 2i of a head back to row i, row 2i + 1 to row i + D/2. Quantised rows move whole."""
    pairs = rows.reshape(heads, -1, 2, rows.shape[-1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)
