"""What lies where in a run's folder. Names are looked up, and never lead out of it."""

from pathlib import Path

CONFIG, METRICS, EVENTS, SAMPLES = "config.yaml", "metrics.jsonl", "events.jsonl", "samples.jsonl"
CHECKPOINTS = "checkpoints"


def inside(folder: Path, name: str) -> Path | None:
    """The direct member of `folder` with that name; none for a link to anywhere else."""
    if name in ("", ".", "..") or "/" in name:
        return None
    try:
        real = (folder / name).resolve(strict=True)
        return real if real.parent == folder.resolve() else None
    except (OSError, RuntimeError, ValueError):  # a name that no file can have, or a circle
        return None


def run_folders(root: Path) -> list[Path]:
    """Whatever there has begun to look like a run."""
    try:
        names = [entry.name for entry in root.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []
    found = (inside(root, name) for name in sorted(names))
    return [folder for folder in found if folder is not None and _is_run(folder)]


def find_run(root: Path, name: str) -> Path | None:
    folder = None if name.startswith(".") else inside(root, name)
    return folder if folder is not None and _is_run(folder) else None


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (CONFIG, METRICS, EVENTS))
