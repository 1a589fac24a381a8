"""Errors on the wire: one shape for all routes, and a mistake of the asker's in words."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from raylm_apps.gateway.errors import STATUS


class ErrorView(BaseModel):
    code: str = Field(description="type:surface, empty where the cause is not for users")
    message: str
    cause: str | None = None


def _documented(family: str) -> dict[str, Any]:
    kinds = [f"{kind} ({status})" for kind, status in STATUS.items() if str(status)[0] == family]
    return {"model": ErrorView, "description": ", ".join(kinds)}


RESPONSES: dict[int | str, dict[str, Any]] = {f"{n}XX": _documented(n) for n in ("4", "5")}
"""What /openapi.json says of every route."""


def explain(mistake: Mapping[str, Any]) -> str:
    """`message.parts.0.text: Field required`, from one of pydantic's errors."""
    where = ".".join(str(step) for step in mistake["loc"] if step != "body")
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])
