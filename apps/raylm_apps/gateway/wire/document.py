"""Documents, their versions and their suggestions on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StrictBool

from raylm_apps.gateway.store.documents import MAX_TITLE_CHARS, Kind
from raylm_apps.gateway.store.suggestions import Suggestion, SuggestionStatus
from raylm_apps.gateway.wire.base import Text, Wire, written_as


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(written_as("2026-01-31T12:00:00.000Z", "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+")),
    AfterValidator(_in_utc),
]
"""A version's `createdAt`, as it was given out."""


class DocumentRequest(Wire):
    content: Text
    title: Annotated[Text, Field(max_length=MAX_TITLE_CHARS)]
    kind: Kind
    is_manual_edit: StrictBool = False
    """Change the newest version in place."""
    edited_version: Timestamp | None = None
    """The `createdAt` that a manual edit began from: if it is not the newest any more, the edit
    becomes a version of its own, so that neither is lost."""


class DocumentView(Wire):
    """One version."""

    id: str
    created_at: datetime
    title: str
    content: str
    kind: Kind
    user_id: str


class Span(Wire):
    kind: Literal["equal", "delete", "insert"]
    text: str


class DiffView(Wire):
    """The older text is `equal` and `delete` joined, the newer one `equal` and `insert`."""

    from_: datetime = Field(alias="from")
    to: datetime
    spans: list[Span]


class SuggestionPatch(Wire):
    status: SuggestionStatus


class SuggestionView(Wire):
    id: str
    document_id: str
    document_created_at: datetime
    original_text: str
    suggested_text: str
    description: str
    is_resolved: bool
    """Whether it has been dealt with, either way."""
    status: SuggestionStatus
    user_id: str
    created_at: datetime

    @classmethod
    def of(cls, suggestion: Suggestion) -> Self:
        return cls(**vars(suggestion), is_resolved=suggestion.status != "open")
