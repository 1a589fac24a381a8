"""What the shapes are made of: camelCase names, ids, text that can be stored."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

# A UUID from our own page, a 16-character random id from a stock AI SDK client.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
# Our own answers' ids too; an edited question's earlier versions have `.` and a number behind it.
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def written_as(example: str, pattern: str) -> Callable[[object], object]:
    """For a day or a time: pydantic would also take the seconds since 1970."""

    def check(time: object) -> object:
        if not isinstance(time, str) or re.fullmatch(pattern, time) is None:
            raise ValueError(f"it is written as {example}")
        return time

    return check


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL cannot hold, and without halves of surrogate pairs, which
    JSON can spell but UTF-8 cannot."""
    return text.encode(errors="ignore").decode().replace("\x00", "")


Text = Annotated[str, AfterValidator(storable)]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"[^\s\x00]"),
    BeforeValidator(lambda title: storable(title) if isinstance(title, str) else title),
]
