"""Budgets on the wire."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from raylm_apps.gateway.store.budgets import LIMITS, Period, Subject
from raylm_apps.gateway.wire.base import Id, Wire

Count = Annotated[int, Field(ge=0, le=10**15)]
ModelId = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class Limits(Wire):
    requests: Count | None = None
    tokens: Count | None = Field(None, description="of input and output together")
    micros: Count | None = Field(None, description="millionths of a dollar")

    def named(self) -> dict[str, int | None]:
        """Those that were given, null among them."""
        return {name: getattr(self, name) for name in LIMITS if name in self.model_fields_set}


class NewLimits(Limits):
    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if all(getattr(self, name) is None for name in LIMITS):
            raise ValueError(f"one of {', '.join(LIMITS)} must be given")
        return self


class OwnBudget(NewLimits):
    """Of an API key, by its owner."""

    period: Period = "month"
    model: ModelId | None = Field(None, description="default: all models together")


class NewBudget(OwnBudget):
    subject: Subject = Field(description="everyone: all users together; each: every user alone")
    subject_id: Id | None = Field(None, description="of the user, key or team")

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.subject_id is None) != (self.subject in ("everyone", "each")):
            raise ValueError("subjectId must be given for a user, a key or a team, and only then")
        return self


class BudgetPatch(Limits):
    """Null lifts a limit."""

    version: int | None = Field(
        None, description="refused with conflict:budget where it is another by now"
    )


class OwnBudgetView(Wire):
    period: Period
    model: str | None
    requests: int | None
    tokens: int | None
    micros: int | None


class BudgetView(OwnBudgetView):
    id: str
    subject: Subject
    subject_id: str | None
    is_own: bool = Field(description="set by the key's owner")
    version: int


class BudgetsView(Wire):
    budgets: list[BudgetView]


class Counts(Wire):
    requests: int
    tokens: int
    micros: int


class Left(Wire):
    requests: int | None
    tokens: int | None
    micros: int | None


class MyBudgetView(BudgetView):
    used: Counts = Field(description="with what answers that are being written may use")
    left: Left
    starts_at: datetime
    ends_at: datetime | None = Field(description="when it starts anew; null for never")


class MyBudgetsView(Wire):
    budgets: list[MyBudgetView]
