"""A trained model for other programs: a folder `transformers` loads, or one GGUF file."""

from pathlib import Path

from raylm.checkpoint.gguf_writer import write_gguf
from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import UsageError
from raylm.core.suggest import did_you_mean
from raylm.models.hf_weights import save_hf_folder

FORMATS = ("gguf", "gguf-q8_0", "hf")


def export(source: str | Path, folder: str | Path, format: str = "hf") -> Path:
    """Write a run, a checkpoint or any model to `folder`; what was written.

    `gguf` stores matrices as F16, `gguf-q8_0` as Q8_0, in `folder`/NAME.gguf (or at `folder`
    itself where that ends in .gguf).
    """
    if format not in FORMATS:
        raise UsageError(f"unknown export format {format!r}{did_you_mean(format, FORMATS)}")
    model = open_model_or_run(source)
    target = Path(folder).expanduser()
    if format == "hf":
        save_hf_folder(target, model.spec, model.weights, model.tokenizer, model.chat_template)
        return target
    if target.suffix != ".gguf":
        target = target / f"{model.name}.gguf"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(target, model, "q8_0" if format == "gguf-q8_0" else "f16")
    return target
