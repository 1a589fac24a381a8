"""A contender's process as the race sees it: started once, warm, idle unless it is its turn."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_TAIL_LINES = 12


class ContenderError(Exception):
    """The process has ended; the message is the end of its log."""


class Contender:
    """`python -m module words`; what it prints is kept in a log, answers come over a pipe."""

    def __init__(
        self, module: str, words: Sequence[str] = (), python: str | Path = sys.executable
    ) -> None:
        self.module = module
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [str(python), "-m", module, *words],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def wait_until_ready(self) -> None:
        self._answer()

    def take(self, turn: str, **arguments: Any) -> Any:
        """Raises ContenderError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"turn": turn, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._error() from None
        return self._answer()

    def close(self) -> None:
        """Killed: nobody waits for a peer's own way to end."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._error()
        return json.loads(line)

    def _error(self) -> ContenderError:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        tail = "\n".join(lines[-_TAIL_LINES:]) or "no output"
        return ContenderError(f"{self.module} ended with {code}:\n{tail}")
