"""`raylm train`, `raylm submit`, `raylm resize`, `raylm plot`, `raylm export`."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from raylm.core.schema import TrainConfig
from raylm_apps.cli.output import Json, Set, echo_json


class ExportFormat(StrEnum):
    HF = "hf"
    GGUF = "gguf"
    GGUF_Q8_0 = "gguf-q8_0"


def register(app: typer.Typer) -> None:
    app.command()(train)
    app.command()(submit)
    app.command()(resize)
    app.command()(plot)
    app.command()(export)


def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, e.g. configs/train/quickstart.yaml")],
    overrides: Set = None,
    output: Annotated[
        Path | None, typer.Option(help="The run directory; default runs/NAME-TIME.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="'auto' (newest checkpoint of --output) or a checkpoint.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Ray actors; overrides the config.")] = None,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster to join.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a model on Ray actors.

    Example: raylm train configs/train/quickstart.yaml --set steps=200 --output runs/mine
    """
    changes = [*(overrides or []), *([f"workers={workers}"] if workers is not None else [])]
    settings = TrainConfig.load(config, changes)
    from raylm.train.recipes import train as run

    if not json:
        typer.echo(settings.to_yaml())
    result = run(settings, output=output, resume=resume, address=address)
    if json:
        echo_json({"run": result.run_dir, "status": result.status, "step": result.step})
    else:
        typer.echo(f"{result.status} at step {result.step}, which is saved in {result.run_dir}")
    if result.status == "interrupted":
        raise typer.Exit(130)


def submit(
    config: Annotated[Path, typer.Argument(help="A YAML file, e.g. configs/train/quickstart.yaml")],
    address: Annotated[str, typer.Option(help="The cluster's dashboard, http://HEAD:8265.")],
    overrides: Set = None,
    output: Annotated[
        str | None,
        typer.Option(help="The run directory, there; default ~/.raylm/runs/NAME-TIME."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="'auto' (newest checkpoint of --output) or a checkpoint.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Ray actors; overrides the config.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the log until the end.")] = False,
    json: Json = False,
) -> None:
    """Train on a cluster, as a Ray job that goes on without you.

    Example: raylm submit configs/train/quickstart.yaml --address http://head:8265 --follow
    """
    from raylm.runtime.jobs import submit as submit_job
    from raylm.train.run import located

    changes = [*(overrides or []), *([f"workers={workers}"] if workers is not None else [])]
    settings = TrainConfig.load(config, changes)
    folder = output or f"~/.raylm/runs/{settings.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    options = ["--output", folder, *(["--resume", resume] if resume else [])]
    files = {"config.yaml": located(settings).to_yaml()}
    job = submit_job(["train", "config.yaml", *options], address, files)
    if json:
        echo_json({"job": job.id, "run": folder})
    else:
        typer.echo(f"submitted {job.id}, which writes to {folder} on the cluster")
        typer.echo(f"stop it, saved, with: ray job stop --address {address} {job.id}")
    if follow and job.follow(lambda text: typer.echo(text, nl=False)) != "SUCCEEDED":
        raise typer.Exit(1)


def resize(
    run: Annotated[Path, typer.Argument(help="The directory of a run that is under way.")],
    workers: Annotated[int, typer.Argument(help="How many workers it shall have.")],
    timeout_s: Annotated[float, typer.Option(help="How long to wait for them.")] = 120.0,
    json: Json = False,
) -> None:
    """Let a run go on with more or fewer workers, from its next step.

    Example: raylm resize runs/mine 4
    """
    from raylm.train.wish import resize as resize_run

    resize_run(run, workers, timeout_s)
    echo_json({"run": run, "workers": workers}) if json else typer.echo(
        f"{run} goes on with {workers} workers"
    )


def plot(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: RUN/plot.png.")
    ] = None,
) -> None:
    """Draw a run: loss, learning rate, throughput, memory and membership events.

    Example: raylm plot runs/mine -o mine.png
    """
    from raylm.train.plot import plot_run

    picture = output or run / "plot.png"
    plot_run(run, picture)
    typer.echo(f"wrote {picture}")


def export(
    source: Annotated[Path, typer.Argument(help="A run directory or a checkpoint.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    format: Annotated[ExportFormat, typer.Option(help="hf loads in transformers; gguf is F16.")] = (
        ExportFormat.HF
    ),
    json: Json = False,
) -> None:
    """Export a trained model as Hugging Face safetensors or GGUF.

    Example: raylm export runs/mine exported --format hf
    """
    from raylm.checkpoint.export import export as write

    written = write(source, folder, format.value)
    echo_json({"path": written}) if json else typer.echo(f"wrote {written}")
