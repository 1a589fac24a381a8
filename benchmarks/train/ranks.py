"""The processes of one run: started together, each writes its figures, all end or none is kept."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.train.foreign_load import ForeignLoad
from benchmarks.train.modes import Mode

ROOT = Path(__file__).parents[2]
CONTENDER = "benchmarks.train.contender"
_TAIL_LINES = 12
_TIMEOUT_S = 600.0

RankFigures = dict[str, Any]  # what benchmarks.train.contender writes, and foreign_cores


class RunError(Exception):
    """A rank ended with an error or not at all; the message is the end of its stderr."""


@dataclass(frozen=True)
class Workload:
    world: int
    batch: int
    sequence: int
    precision: str
    steps: int
    warmup: int


def peers_python() -> Path | None:
    """The interpreter DeepSpeed is installed for: RAYLM_PEERS_PYTHON or `make peers`'s."""
    named = os.environ.get("RAYLM_PEERS_PYTHON")
    path = Path(named) if named else ROOT / ".venv-peers" / "bin" / "python"
    if named and not path.exists():
        raise SystemExit(f"RAYLM_PEERS_PYTHON is {named}, which does not exist")
    return path if path.exists() else None


def run(mode: Mode, workload: Workload) -> list[RankFigures]:
    """One fresh process for each rank; raises RunError."""
    load = ForeignLoad.open()
    with tempfile.TemporaryDirectory() as folder:
        figures = _run(mode, workload, Path(folder))
    return [{**rank, "foreign_cores": load.cores()} for rank in figures]


def _run(mode: Mode, workload: Workload, folder: Path) -> list[RankFigures]:
    python = peers_python() if mode.family == "deepspeed" else Path(sys.executable)
    assert python is not None, f"{mode.name} needs `make peers`"
    world = mode.processes(workload.world)
    settings = {**vars(workload), "mode": mode.name, "world": world, "port": _free_port()}
    results = [folder / f"{rank}.json" for rank in range(world)]
    with ExitStack() as stack:
        processes = []
        for rank, result in enumerate(results):
            options = {**settings, "rank": rank, "out": result}
            words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
            command = [str(python), "-m", CONTENDER, *words]
            processes.append(stack.enter_context(_process(command, result.with_suffix(".log"))))
        failed = _wait(processes)
    if failed is not None:
        rank, what = failed
        raise RunError(f"rank {rank} {what}:\n{_tail(results[rank].with_suffix('.log'))}")
    return [json.loads(result.read_text()) for result in results]


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _wait(processes: list[subprocess.Popen[bytes]]) -> tuple[int, str] | None:
    """The first rank that failed or, when the time is up, one that still runs; None: all is well.

    The others of a failed rank are not waited for, they may wait for it.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        codes = [process.poll() for process in processes]
        for rank, code in enumerate(codes):
            if code:
                return rank, f"ended with {code}"
        if None not in codes:
            return None
        if time.monotonic() > deadline:
            return codes.index(None), f"still ran after {_TIMEOUT_S:.0f} s"
        time.sleep(0.05)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:]) or "no output"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
