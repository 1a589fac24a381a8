"""Servers of the OpenAI API on this machine, each a process of its own that ends with the block,
with one thread for the model."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp

from benchmarks.infer.peer_dtype import fast_dtype
from raylm_apps.deploy.ports import free_ports

MODEL = "smollm2"
READY_S = 300
_TAIL_LINES = 20
_ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def raylm_server(quantization: str) -> AsyncIterator[aiohttp.ClientSession]:
    """`raylm serve`: Ray Serve behind HAProxy."""
    options = ["--set", f"serve.quantization={quantization}", "--set", "serve.threads=1"]
    command = [sys.executable, "-m", "raylm_apps.cli", "serve", *options]
    async with _served("raylm serve", command) as session:
        yield session


@contextlib.asynccontextmanager
async def vllm_server(python: Path, model: Path) -> AsyncIterator[aiohttp.ClientSession]:
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", MODEL, "--dtype", fast_dtype(), "--enforce-eager"]
    command += ["--max-model-len", "1024"]
    environment = {
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "0",  # one thread, on the first core
        "VLLM_NO_USAGE_STATS": "1",
    }
    async with _served("vLLM's server", command, environment) as session:
        yield session


@contextlib.asynccontextmanager
async def llama_cpp_server(
    python: Path, model: Path, streams: int
) -> AsyncIterator[aiohttp.ClientSession]:
    """With as many slots as there are streams at once."""
    command = [str(python), "-m", "benchmarks.serve.llama_cpp_server", "--model", str(model)]
    command += ["--slots", str(streams)]
    async with _served("llama.cpp's server", command) as session:
        yield session


@contextlib.asynccontextmanager
async def _served(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    (port,) = free_ports(1)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
            stdout=log,
            stderr=log,
        )
        connector = aiohttp.TCPConnector(limit=0)
        try:
            async with aiohttp.ClientSession(
                f"http://127.0.0.1:{port}", connector=connector
            ) as session:
                if not await _is_ready(process, session):
                    log.seek(0)
                    raise SystemExit(f"{name} did not start:\n{_tail(log.read())}")
                yield session
        finally:
            process.terminate()
            process.wait()


async def _is_ready(process: subprocess.Popen[bytes], session: aiohttp.ClientSession) -> bool:
    """Once it answers; False where it has ended, or does not in time."""
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get("/health") as answer:
                if answer.status == 200:
                    return True
        await asyncio.sleep(0.2)
    return False


def _tail(log: bytes) -> str:
    return "\n".join(log.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:])
