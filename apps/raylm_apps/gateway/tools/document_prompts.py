"""How a model is asked to write."""

from raylm.core.wire.prompt import Turn
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN, DEFAULT_CONTEXT_TOKENS
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store.documents import Kind, Version
from raylm_apps.gateway.tools.base import ToolError

_FORMS: dict[Kind, str] = {
    "text": "Write Markdown, with headings where they help.",
    "code": "Write one complete program that runs by itself, in Python unless another language is "
    "asked for: the standard library only, short comments, results printed, no input, no network.",
    "sheet": "Write a table as CSV: a header row first, then the rows; quote cells with commas.",
}


def creation(title: str, kind: Kind) -> list[Turn]:
    return [Turn("system", f"{_FORMS[kind]} Answer with the document alone."), Turn("user", title)]


def revision(document: Version, wish: str, model: ModelCard) -> list[Turn]:
    """Raises ToolError where the document and its successor do not fit the model."""
    _check_room(document, model, share=2)
    instruction = (
        "Rewrite the document below as the user wishes, and keep the rest. "
        f"{_FORMS[document.kind]} Answer with the whole new document alone.\n\n{document.content}"
    )
    return [Turn("system", instruction), Turn("user", wish)]


def review(document: Version, count: int, model: ModelCard) -> list[Turn]:
    """Raises ToolError where the document does not fit the model."""
    _check_room(document, model, share=1)
    instruction = (
        f"You improve texts. Name at most {count} sentences of the user's text that could be "
        "better. Answer with a JSON list alone, each element like this: "
        '{"original": "the sentence, copied exactly", "suggested": "the better sentence", '
        '"description": "why, in a few words"}'
    )
    return [Turn("system", instruction), Turn("user", document.content)]


def _check_room(document: Version, model: ModelCard, *, share: int) -> None:
    room = (model.context_tokens or DEFAULT_CONTEXT_TOKENS) * CHARS_PER_TOKEN // share
    if len(document.content) > room:
        raise ToolError(
            f"The document has {len(document.content)} characters; this model can take {room}. "
            "Change parts of it with editDocument."
        )
