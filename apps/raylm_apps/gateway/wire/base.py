"""What the shapes are made of: camelCase names, ids, text that can be stored."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

# A UUID from our own page, a 16-character random id from a stock AI SDK client.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
# Our own answers' ids too; an edited question's earlier versions have `.` and a number behind it.
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL cannot hold, and without halves of surrogate pairs, which
    JSON can spell but UTF-8 cannot."""
    return text.encode(errors="ignore").decode().replace("\x00", "")


Text = Annotated[str, AfterValidator(storable)]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    BeforeValidator(lambda title: storable(title) if isinstance(title, str) else title),
]
