"""The quickstart against a trigram model counted on the same training tokens.

    python -m benchmarks.train.quickstart [--data PATH] [--output DIR]

Prints how far the held-out loss falls, the bits per byte of both, and the time.
"""

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.train.trigram import Trigram
from raylm.checkpoint.load import Checkpoint
from raylm.core.metrics import read_jsonl
from raylm.core.schema import TrainConfig
from raylm.train.materials import prepare
from raylm.train.recipes import train

CONFIG = Path(__file__).parents[2] / "configs" / "train" / "quickstart.yaml"


@dataclass(frozen=True)
class Comparison:
    """Losses in nats per held-out token; both models are scored in bits per held-out byte."""

    first_loss: float
    last_loss: float
    bits_per_byte: float
    trigram_bits_per_byte: float
    seconds: float

    @property
    def fall(self) -> float:
        """The part of its first value that the held-out loss has lost."""
        return 1 - self.last_loss / self.first_loss

    def __str__(self) -> str:
        return (
            f"held-out loss   {self.first_loss:.3f} -> {self.last_loss:.3f} nats/token "
            f"({self.fall:.1%} less; the bar is 45%)\n"
            f"bits per byte   {self.bits_per_byte:.3f}, trigram {self.trigram_bits_per_byte:.3f}\n"
            f"wall time       {self.seconds:.0f} s, with Ray's start and the data's preparation"
        )


def compare(config: TrainConfig, output: Path) -> Comparison:
    began = time.monotonic()
    train(config, output=output)
    seconds = time.monotonic() - began
    rows = [row for row in read_jsonl(output / "metrics.jsonl") if "heldout_loss" in row]
    return Comparison(
        first_loss=rows[0]["heldout_loss"],
        last_loss=rows[-1]["heldout_loss"],
        bits_per_byte=rows[-1]["heldout_bits_per_byte"],
        trigram_bits_per_byte=trigram_bits_per_byte(config, output),
        seconds=seconds,
    )


def trigram_bits_per_byte(config: TrainConfig, run: Path) -> float:
    """Counted on all training tokens, scored on the held-out tokens the run was scored on."""
    materials = prepare(config, Checkpoint.open(run))
    heldout = materials.corpus.heldout
    trigram = Trigram.fit(materials.corpus.training.open(), materials.tokenizer.vocab_size)
    nats = trigram.loss(heldout.open()[: config.evaluation.max_tokens + 1])
    return nats / math.log(2) * heldout.tokens / heldout.text_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="instead of the configured text")
    parser.add_argument("--output", type=Path, help="keep the run here")
    args, _ = parser.parse_known_args()
    config = TrainConfig.load(CONFIG, [f"data.path={args.data}"] if args.data else [])
    with tempfile.TemporaryDirectory() as folder:
        print(compare(config, args.output or Path(folder) / "quickstart"))


if __name__ == "__main__":
    main()
