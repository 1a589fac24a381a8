"""`raylm bench`: the benchmarks of a checkout."""

import importlib
import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

import raylm
from raylm.core.errors import MissingDependencyError, UsageError
from raylm.core.suggest import did_you_mean

ROOT = Path(raylm.__file__).parents[1]


def register(app: typer.Typer) -> None:
    app.command(
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
    )(bench)


def bench(
    name: Annotated[str, typer.Argument(help="Which one, e.g. decode.")],
    options: Annotated[
        list[str] | None, typer.Argument(help="The benchmark's own; see raylm bench NAME --help.")
    ] = None,
) -> None:
    """Run a benchmark, with its peers where they are installed.

    Example: raylm bench decode --quick
    """
    modules = _modules()
    if name not in modules:
        raise UsageError(f"no benchmark {name!r}{did_you_mean(name, modules)}")
    sys.argv = [f"raylm bench {name}", *(options or [])]
    runpy.run_module(modules[name], run_name="__main__")


def _modules() -> dict[str, str]:
    """Those beside the library's sources, where an installed wheel has none."""
    if not (ROOT / "benchmarks" / "catalog.py").is_file():
        raise MissingDependencyError(
            f"the benchmarks are not in {ROOT}: an installed package has none; run `raylm bench` "
            "from a checkout of the repository (make setup)"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    found: dict[str, str] = importlib.import_module("benchmarks.catalog").by_name()
    return found
