"""The relays that `/v1` is measured beside, each as a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.gateway.contender import Contender
from benchmarks.gateway.rig import Rig, free_port

MODELS = ("fake", "chunks")
LITELLM_KEY = "sk-benchmark-0001"


@contextmanager
def bare_relay(running: Rig) -> Iterator[Contender]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.gateway.bare_relay:app"]
    command += ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    environment = {**os.environ, "UPSTREAM_URL": running.provider_url}
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield Contender(
                "bare relay", f"http://127.0.0.1:{port}/v1", psutil.Process(process.pid)
            )
        finally:
            process.terminate()


@contextmanager
def litellm(running: Rig) -> Iterator[list[Contender]]:
    """None where it is not installed."""
    program = os.environ.get("RAYLM_LITELLM")
    if program is None:
        yield []
        return
    port = free_port()
    names = [{"model_name": name, "litellm_params": _upstream(running, name)} for name in MODELS]
    config = {"model_list": names, "general_settings": {"master_key": LITELLM_KEY}}
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)  # which is YAML, too
        file.flush()
        command = [program, "--config", file.name, "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            watched = psutil.Process(process.pid)
            headers = {"authorization": f"Bearer {LITELLM_KEY}"}
            try:
                yield [Contender("LiteLLM", f"http://127.0.0.1:{port}/v1", watched, "{}", headers)]
            finally:
                process.terminate()


def _upstream(running: Rig, model: str) -> dict[str, str]:
    return {"model": f"openai/{model}", "api_base": running.provider_url, "api_key": "none"}
