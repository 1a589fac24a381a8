"""A model in the formats that the peers read, made once and kept."""

from pathlib import Path

from raylm.checkpoint.gguf_writer import write_gguf
from raylm.models.hf_weights import save_hf_folder
from raylm.models.source import ModelSource
from raylm_kernels.custom import cache_dir


def gguf(source: ModelSource, kind: str) -> Path:
    """Made from the model's weights in F32, once."""
    path = _kept(source, f"{kind}.gguf")
    if not path.exists():
        write_gguf(path, source, kind)
    return path


def hf_folder(source: ModelSource) -> Path:
    path = _kept(source, "hf")
    if not path.exists():
        draft = path.with_name(path.name + ".part")
        save_hf_folder(draft, source.spec, dict(source.weights), source.tokenizer)
        draft.rename(path)
    return path


def _kept(source: ModelSource, suffix: str) -> Path:
    folder = cache_dir("benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{source.name}-{str(source.weights.fingerprint)[:16]}-{suffix}"
