"""What the engine could load: what whoever runs it has named, and what runs have saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from raylm_apps.gateway.providers.registry import ENGINE
from raylm_apps.gateway.runs.checkpoints import Checkpoint
from raylm_apps.gateway.runs.shelf import Runs


@dataclass(frozen=True)
class Loadable:
    """`model` is what is asked for, a name or a folder; `id` what it would be served by."""

    model: str
    id: str
    run: str | None = None
    step: int | None = None


async def loadable(names: Sequence[str], runs: Runs) -> list[Loadable]:
    """Nothing else: the page's admins need not be the machine's, whose files they would name."""
    named = [Loadable(name, f"{ENGINE}/{name.rstrip('/').rpartition('/')[2]}") for name in names]
    return named + [_of_run(run, saved) for run, saved in await runs.newest_checkpoints()]


def _of_run(run: str, checkpoint: Checkpoint) -> Loadable:
    return Loadable(str(checkpoint.path), served_id(run, checkpoint), run, checkpoint.step)


def served_id(run: str, checkpoint: Checkpoint) -> str:
    """As the engine makes it of the checkpoint's folder."""
    return f"{ENGINE}/{run}-{checkpoint.name}"
