"""What was used, on the wire."""

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field

from raylm_apps.gateway.wire.base import Wire, written_as

Day = Annotated[date, BeforeValidator(written_as("2026-01-31", "[0-9]{4}-[0-9]{2}-[0-9]{2}"))]


class UsageRow(Wire):
    day: date | None = Field(description="by UTC; null, like the next, where not grouped by it")
    model: str | None
    key_id: str | None = Field(None, description="of the API key; null for none")
    team_id: str | None = Field(None, description="of the team that it counts for; null for none")
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int = Field(description="of the input's")
    micros: int = Field(description="millionths of a dollar")


class UsageView(Wire):
    usage: list[UsageRow]


class AdminUsageRow(UsageRow):
    user_id: str | None = Field(None, description="null for deleted ones")


class AdminUsageView(Wire):
    usage: list[AdminUsageRow]
