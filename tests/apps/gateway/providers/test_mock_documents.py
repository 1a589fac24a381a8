from datetime import UTC, datetime

import orjson
import pytest

from raylm.core.wire.events import TextDelta
from raylm.core.wire.prompt import Prompt, ToolCall, ToolDefinition, Turn
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.providers.mock_documents import work_on_documents
from raylm_apps.gateway.store.documents import Kind, Version
from raylm_apps.gateway.tools.document_content import finished
from raylm_apps.gateway.tools.document_prompts import creation, review, revision
from raylm_apps.gateway.tools.suggestion_list import changes_in

TOOLS = [ToolDefinition("createDocument", "", {})]
CARD = ModelCard("mock/documents", "Mock", "mock", context_tokens=8192)
EARLIER = [
    Turn("user", "Write an essay"),
    Turn("tool", '{"id":"doc-1","title":"An essay"}', tool_call_id="c"),
    Turn("assistant", "It is beside our chat."),
]


def a_version(kind: Kind, content: str) -> Version:
    return Version("Bread", kind, content, "doc-1", datetime(2026, 1, 1, tzinfo=UTC), "ada")


async def call(*turns: Turn) -> tuple[str, dict[str, str]]:
    events = [event async for event in work_on_documents(Prompt(turns, tools=TOOLS))]
    (made,) = (event for event in events if isinstance(event, ToolCall))
    return made.name, orjson.loads(made.arguments)


async def words(turns: list[Turn]) -> str:
    events = [event async for event in work_on_documents(Prompt(turns))]
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Write an essay about bread", "text"),
        ("Create a program that sorts", "code"),
        ("Draft a table of months", "sheet"),
    ],
)
async def test_the_words_say_what_to_write(question: str, kind: str) -> None:
    assert await call(Turn("user", question)) == (
        "createDocument",
        {"title": question, "kind": kind},
    )


async def test_changes_go_to_the_newest_document() -> None:
    wish = "Please add comments"
    assert await call(*EARLIER, Turn("user", wish)) == (
        "updateDocument",
        {"id": "doc-1", "description": wish},
    )
    assert await call(*EARLIER, Turn("user", "Suggest something")) == (
        "requestSuggestions",
        {"documentId": "doc-1"},
    )


async def test_all_else_is_answered() -> None:
    prompt = Prompt([*EARLIER, Turn("user", "Is it good?")], tools=TOOLS)
    said = [event.text async for event in work_on_documents(prompt) if isinstance(event, TextDelta)]
    assert "".join(said) == "About the document: Is it good?"


@pytest.mark.parametrize("kind", ["text", "code", "sheet"])
async def test_every_kind_is_written_and_rewritten(kind: Kind) -> None:
    content = finished(kind, await words(creation("Bread", kind)))
    assert content
    assert "```" not in content
    again = finished(kind, await words(revision(a_version(kind, content), "Add more", CARD)))
    assert len(again) > len(content)


async def test_suggestions_are_of_the_text() -> None:
    content = await words(creation("Bread", "text"))
    said = await words(review(a_version("text", content), 5, CARD))
    assert len(changes_in(said, content)) == 2


async def test_a_broken_program_fails() -> None:
    with pytest.raises(ValueError, match="it is broken"):
        exec(finished("code", await words(creation("A broken program", "code"))), {})
