"""Hugging Face folders: safetensors read lazily, and folders that `transformers` loads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from raylm.core.errors import WeightsError
from raylm.core.json_file import read_json_object, write_json_object
from raylm.data.chat_template import ChatTemplate
from raylm.data.tokenizer import Tokenizer
from raylm.models.fingerprint import fingerprint
from raylm.models.hf_config import hf_config
from raylm.models.spec import ModelSpec
from raylm.models.weights import Weights, places

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_FLOATS = {"F64", "F32", "F16", "BF16"}


class HfWeights(Weights):
    """bfloat16 stays so, every other float becomes float32."""

    def __init__(self, folder: Path) -> None:
        """Opens every file and reads the headers; raises WeightsError."""
        shards = _shards(folder)
        found = fingerprint(folder / shard for shard in sorted(set(shards.values())))
        files = {shard: _open(folder / shard) for shard in sorted(set(shards.values()))}
        self._files = {name: files[shard] for name, shard in shards.items()}
        try:
            shapes = {n: tuple(f.get_slice(n).get_shape()) for n, f in self._files.items()}
        except SafetensorError as error:
            raise WeightsError(
                f"{folder / _INDEX}: names a tensor that is not there: {error}"
            ) from None
        super().__init__(shapes, found)

    def __getitem__(self, name: str) -> Tensor:
        dtype = self._dtype(name)
        tensor: Tensor = self._files[name].get_tensor(name)
        return tensor.to(dtype, copy=True)  # the library's own would share memory between reads

    def part(self, name: str, rows: slice, columns: slice) -> Tensor:
        dtype = self._dtype(name)
        index = places(self.shapes[name], rows, columns)
        tensor: Tensor = self._files[name].get_slice(name)[index]
        return tensor.to(dtype, copy=True)

    def _dtype(self, name: str) -> torch.dtype:
        kind = self._files[name].get_slice(name).get_dtype()
        if kind not in _FLOATS:
            raise WeightsError(f"the tensor {name!r} is of the kind {kind}, not floating-point")
        return torch.bfloat16 if kind == "BF16" else torch.float32


def _shards(folder: Path) -> dict[str, str]:
    """The file of each tensor."""
    if (folder / _SINGLE).is_file():
        return dict.fromkeys(_open(folder / _SINGLE).keys(), _SINGLE)
    if not (folder / _INDEX).is_file():
        raise WeightsError(f"{folder}: has neither {_SINGLE} nor {_INDEX}")
    shards = read_json_object(folder / _INDEX).get("weight_map")
    if not isinstance(shards, dict):
        raise WeightsError(f"{folder / _INDEX}: has no weight_map")
    for shard in shards.values():
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise WeightsError(f"{folder / _INDEX}: {shard!r} is not a file name in this folder")
    return shards


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file, but the index names it") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a safetensors file: {error}") from None


def save_hf_folder(
    folder: Path | str,
    spec: ModelSpec,
    state_dict: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    chat_template: ChatTemplate | None = None,
) -> None:
    """A folder `transformers` loads as the same model; weights keep their dtype."""
    folder = Path(folder)
    weights = {name: state_dict[name].detach().cpu().contiguous() for name, _ in spec.parameters()}
    dtype = weights["model.norm.weight"].dtype
    save_hf_description(folder, spec, dtype, tokenizer, chat_template)
    save_file(weights, folder / _SINGLE, metadata={"format": "pt"})


def save_hf_description(
    folder: Path,
    spec: ModelSpec,
    dtype: torch.dtype,
    tokenizer: Tokenizer,
    chat_template: ChatTemplate | None = None,
) -> None:
    """All of such a folder but the weights, which are of `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    kind = {"dtype": str(dtype).removeprefix("torch.")}
    write_json_object(folder / "config.json", hf_config(spec) | ids | kind)
    stops = sorted(tokenizer.stop_ids)
    write_json_object(folder / "generation_config.json", ids | {"eos_token_id": stops})
    tokenizer.save(folder)
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template.source, encoding="utf-8")
