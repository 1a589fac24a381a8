"""`raylm`: the command line. Exits 0 done, 1 failed, 2 bad usage or config, 130 interrupted."""

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from raylm.core.errors import RayLMError
from raylm_apps.cli import administration, benching, chatting, diagnosis, serving, training


class OneLineErrors(TyperGroup):
    """Our own errors are for people: one line and their exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RayLMError as error:
            typer.secho(f"raylm: {error}", fg=typer.colors.RED, err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


app = typer.Typer(
    name="raylm",
    cls=OneLineErrors,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"raylm {version('raylm')}")
        raise typer.Exit


@app.callback()
def raylm(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Train and serve language models as Ray actors, and chat with them in the browser.

    Example: raylm up
    """


for room in (serving, training, chatting, diagnosis, benching, administration):
    room.register(app)


def main() -> None:
    app()
