"""What commands print: text for people, and with --json one object last for programs."""

from typing import Annotated, Any

import orjson
import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object last.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a config key; may be repeated."),
]


def echo_json(value: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(value, default=str).decode())
