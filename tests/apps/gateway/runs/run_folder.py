"""Run directories made by what makes them: RunDirectory writes them, a manifest is a manifest."""

from pathlib import Path
from typing import Any

import orjson

from raylm.checkpoint.manifest import FileRecord, Manifest
from raylm.core.schema import TrainConfig
from raylm.train.rundir import RunDirectory
from raylm.train.update import Update

TINY = Path(__file__).parents[4] / "configs" / "train" / "tiny.yaml"
CONFIG = TrainConfig.load(TINY, ["name=demo", "steps=40"])


class WrittenRun:
    def __init__(self, root: Path, name: str, config: TrainConfig = CONFIG) -> None:
        self.folder = root / name
        self._config = config
        self.directory = RunDirectory(self.folder, config)

    def __del__(self) -> None:
        """A run that is still running ends with the test that looks at it."""
        self.directory.close()

    def start(self, world_size: int = 2) -> "WrittenRun":
        self.directory.event("epoch_started", epoch=0, world_size=world_size, workers=[])
        return self

    def steps(self, first: int, last: int) -> "WrittenRun":
        for step in range(first, last + 1):
            self.directory.update(update_of(step))
        return self

    def row(self, **row: Any) -> None:
        """As an alignment writes it."""
        with (self.folder / "metrics.jsonl").open("ab") as file:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def save(self, step: int) -> Path:
        folder = self.directory.checkpoints / f"step-{step:08d}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * 100)
        files = {"model.safetensors": FileRecord(size_bytes=100, sha256="0")}
        manifest = Manifest(
            step=step, samples=step, world_size=1, config=self._config.to_dict(), files=files
        )
        (folder / "manifest.json").write_text(manifest.model_dump_json())
        latest = self.directory.checkpoints / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        return folder

    def finish(self, status: str = "finished") -> "WrittenRun":
        self.directory.event("run_finished", status=status)
        self.directory.close()
        return self


def update_of(step: int) -> Update:
    zeros = dict.fromkeys(Update.__dataclass_fields__, 0)
    zeros |= {"heldout_loss": None, "heldout_bits_per_byte": None}  # type: ignore[dict-item]
    told = {"step": step, "loss": 4.0 / step, "lr": 1e-3, "tokens_per_second": 1000.0 + step}
    told |= {"world_size": 2, "grad_norm": 1.0, "peak_bytes": 1 << 20, "step_seconds": 0.1}
    return Update(**{**zeros, **told})  # type: ignore[arg-type]
