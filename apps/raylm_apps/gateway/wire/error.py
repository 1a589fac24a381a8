"""Errors on the wire: one shape for all routes, and a mistake of the asker's in words."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field


class ErrorView(BaseModel):
    code: str = Field(description="type:surface, empty where the cause is not for users")
    message: str
    cause: str | None = None


def explain(mistake: Mapping[str, Any]) -> str:
    """`message.parts.0.text: Field required`, from one of pydantic's errors."""
    where = ".".join(str(step) for step in mistake["loc"] if step != "body")
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])
