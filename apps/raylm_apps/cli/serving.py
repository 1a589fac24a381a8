"""`raylm up`, `raylm down`, `raylm status`, `raylm serve`."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raylm.core.errors import RayLMError
from raylm.core.schema import UpConfig
from raylm_apps.cli.output import Json, Set, echo_json

if TYPE_CHECKING:
    from raylm_apps.deploy.stack import Stack

DEFAULT_DATA_DIR = Path("~/.raylm")
STOP_TIMEOUT_S = 30.0

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where chats and keys live; default ~/.raylm.")
]
Model = Annotated[
    str | None, typer.Option(envvar="RAYLM_MODEL", help="A name, folder, GGUF or run directory.")
]
Port = Annotated[int | None, typer.Option(help="Default 8000.")]
Host = Annotated[str | None, typer.Option(help="Default 127.0.0.1.")]
Address = Annotated[
    str | None, typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster to join; default: start one")
]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(serve)


def up(
    port: Port = None,
    host: Host = None,
    model: Model = None,
    data_dir: DataDir = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file of UpConfig.")] = None,
    overrides: Set = None,
    address: Address = None,
) -> None:
    """Start everything: Ray, the engine, the chat gateway, its page and its stores.

    Example: raylm up --port 8000 --model smollm2
    """
    changes = _changes({"port": port, "host": host, "serve.model": model, "data_dir": data_dir})
    settings = UpConfig.load(config or {}, [*(overrides or []), *changes])
    from raylm_apps.deploy.stack import Stack

    with Stack.start(settings, address=address, on_stage=_report) as stack:
        _announce(stack)


def serve(
    config: Annotated[Path | None, typer.Argument(help="A YAML file of UpConfig.")] = None,
    port: Port = None,
    host: Host = None,
    model: Model = None,
    overrides: Set = None,
    address: Address = None,
) -> None:
    """Serve the engine alone behind the OpenAI-compatible API.

    Example: raylm serve --model smollm2 --port 8000
    """
    changes = _changes({"port": port, "host": host, "serve.model": model})
    settings = UpConfig.load(config or {}, [*(overrides or []), *changes])
    from raylm_apps.deploy.stack import Stack

    with Stack.start_engine(settings, address=address, on_stage=_report) as stack:
        _announce(stack)


def down(data_dir: DataDir = None) -> None:
    """Stop what `raylm up` started on this data folder.

    Example: raylm down
    """
    from raylm_apps.deploy.lock import read_lock

    folder = (data_dir or DEFAULT_DATA_DIR).expanduser()
    running = read_lock(folder)
    if running is None:
        typer.echo(f"nothing runs on {folder}")
        return
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while read_lock(folder) is not None:
        if time.monotonic() > deadline:
            raise RayLMError(f"process {running.pid} did not stop in {STOP_TIMEOUT_S:.0f} s")
        time.sleep(0.1)
    typer.echo(f"stopped {running.url}")


def status(data_dir: DataDir = None, json: Json = False) -> None:
    """Tell whether `raylm up` is running, and how its parts are.

    Example: raylm status --json
    """
    from raylm_apps.deploy.lock import read_lock
    from raylm_apps.deploy.probe import probe

    folder = (data_dir or DEFAULT_DATA_DIR).expanduser()
    running = read_lock(folder)
    state: dict[str, Any] = {"running": running is not None, "data_dir": folder}
    if running is not None:
        state |= {"url": running.url, "pid": running.pid, **probe(running.url)}
    if json:
        echo_json(state)
    else:
        for name, value in state.items():
            typer.echo(f"{name:10} {value}")
    if running is None:
        raise typer.Exit(1)


def _changes(values: dict[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def _report(stage: str, detail: str = "") -> None:
    typer.secho(f"  {stage:10} {detail}", dim=True, err=True)


def _announce(stack: "Stack") -> None:
    typer.echo(f"RayLM is ready at {stack.url}")
    typer.secho("Ctrl-C stops everything.", dim=True, err=True)
    stack.wait()
