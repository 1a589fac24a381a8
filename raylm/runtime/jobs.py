"""RayLM's commands as Ray jobs: the program travels with the job, so that a cluster needs only
its dependencies."""

import asyncio
import importlib.util
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ray.job_submission import JobStatus, JobSubmissionClient

from raylm.core.errors import UsageError

_START_S = 60.0
_ROOTS = ("raylm", "raylm_kernels", "raylm_apps")


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    client: JobSubmissionClient

    def follow(self, show: Callable[[str], Any]) -> JobStatus:
        """Show the log as it grows, until the job is over."""
        asyncio.run(self._tail(show))
        return self.client.get_job_status(self.id)

    async def _tail(self, show: Callable[[str], Any]) -> None:
        async for text in self.client.tail_job_logs(self.id):
            show(text)


def submit(command: Sequence[str], address: str, files: Mapping[str, str]) -> Job:
    """`raylm` with these arguments, in a folder that holds `files` (name -> text).

    `address`: of the cluster's dashboard. Raises UsageError where none answers.
    """
    try:
        client = JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"no Ray dashboard answers at {address!r} ({reason}); start a cluster with "
            "`ray start --head` and give --address http://HEAD:8265"
        ) from None
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        entrypoint = shlex.join(["python", "-m", "raylm_apps.cli", *command])
        runtime_env = {"working_dir": folder, "py_modules": _roots()}
        return Job(_submit(client, entrypoint, runtime_env), client)


def _submit(client: JobSubmissionClient, entrypoint: str, runtime_env: dict[str, Any]) -> str:
    """A cluster that has just been started has no agent yet that takes jobs."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            job_id: str = client.submit_job(entrypoint=entrypoint, runtime_env=runtime_env)
            return job_id
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise UsageError(f"the cluster does not take the job: {error}") from error
        time.sleep(1)


def _roots() -> list[str]:
    specs = [importlib.util.find_spec(name) for name in _ROOTS]
    return [str(Path(spec.origin).parent) for spec in specs if spec is not None and spec.origin]
