"""Anthropic's models list."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel

UNKNOWN_DATE = "1970-01-01T00:00:00Z"  # the protocol's word for a release that nobody dates


class ModelInfo(BaseModel):
    """Source: https://platform.claude.com/docs/en/api/models"""

    type: Literal["model"] = "model"
    id: str
    display_name: str
    created_at: str = UNKNOWN_DATE
    lifecycle: Literal["active"] = "active"
    capabilities: None = None
    line: None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    deprecated_at: None = None
    retires_at: None = None


class ModelPage(BaseModel):
    data: list[ModelInfo]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(
        cls, models: Sequence[ModelInfo], limit: int, *, after_id: str = "", before_id: str = ""
    ) -> Self:
        """The next ones after a model, or the last ones before one, in the list's order; an id that
        is no model's bounds nothing."""
        ids = [model.id for model in models]
        first = ids.index(after_id) + 1 if after_id in ids else 0
        end = ids.index(before_id) if before_id in ids else len(ids)
        left = models[first:end]
        page = list(left[-limit:] if before_id in ids else left[:limit])
        return cls(
            data=page,
            first_id=page[0].id if page else None,
            last_id=page[-1].id if page else None,
            has_more=len(page) < len(left),
        )
