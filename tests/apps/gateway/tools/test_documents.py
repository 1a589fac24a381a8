"""The tools that write documents, over a real database and a provider that reads from a script."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from raylm.core.wire.events import Event, Finished, ReasoningDelta, TextDelta
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.providers.base import ModelCard, Provider, ProviderError
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.store import documents, suggestions, users
from raylm_apps.gateway.store.documents import MAX_CHARS, Draft, Kind, Version
from raylm_apps.gateway.store.pool import Database, OutageError
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.documents import document_tools
from tests.apps.gateway.harness import new_id

pytestmark = pytest.mark.services
CARD = ModelCard("script/one", "One", "script", context_tokens=1_000)


@dataclass
class Script:
    """Says its lines; `stall` waits for ever after them, `failure` breaks off."""

    lines: Sequence[str]
    stall: bool = False
    failure: str = ""
    name: str = "script"
    prompts: list[Prompt] = field(default_factory=list)
    is_closed: bool = False
    stalled: asyncio.Event = field(default_factory=asyncio.Event)

    async def models(self) -> Sequence[ModelCard]:
        return [CARD]

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        self.prompts.append(prompt)
        try:
            yield ReasoningDelta("not a part of it")
            for line in self.lines:
                yield TextDelta(line)
            if self.failure:
                raise ProviderError(self.failure)
            if self.stall:
                self.stalled.set()
                await asyncio.Event().wait()
            yield Finished()
        finally:
            self.is_closed = True


class Desk:
    """One user's tools, and what has been shown to them."""

    def __init__(self, database: Database, provider: Provider, card: ModelCard = CARD) -> None:
        self.database = database
        self.user_id = new_id()
        self.shown: list[dict[str, Any]] = []
        self.context = ToolContext(
            self.user_id, new_id(), new_id(), provider, card, self.shown.append
        )
        self._tools = {tool.name: tool for tool in document_tools(database)}

    async def use(self, name: str, **arguments: Any) -> Any:
        await self._sit_down()
        tool = self._tools[name]
        return await tool.run(tool.arguments.model_validate(arguments), self.context)

    async def have(self, content: str, kind: Kind = "text") -> Version:
        await self._sit_down()
        async with self.database.transaction() as connection:
            draft = Draft("Mine", kind, content)
            version = await documents.add(connection, new_id(), self.user_id, draft)
        assert version is not None
        return version

    async def _sit_down(self) -> None:
        with suppress(OutageError):
            async with self.database.transaction() as connection:
                assert await users.ensure(connection, self.user_id, is_guest=True)

    async def contents(self, document_id: str) -> list[str]:
        async with self.database.connection() as connection:
            found = await documents.versions(connection, document_id, self.user_id)
        return [version.content for version in found]

    def parts(self) -> list[tuple[str, Any]]:
        assert all(part["transient"] for part in self.shown)
        return [(part["type"], part["data"]) for part in self.shown]

    def data(self, kind: str) -> list[Any]:
        return [data for name, data in self.parts() if name == kind]


async def test_a_text_grows_word_by_word(database: Database) -> None:
    desk = Desk(database, Script(["# Rivers\n", "The ", "Rhine\x00."]))
    result = await desk.use("createDocument", title="Rivers", kind="text")
    assert desk.parts() == [
        ("data-kind", "text"),
        ("data-id", result["id"]),
        ("data-title", "Rivers"),
        ("data-clear", None),
        ("data-textDelta", "# Rivers\n"),
        ("data-textDelta", "The "),
        ("data-textDelta", "Rhine."),
        ("data-finish", None),
    ]
    assert result == {
        "id": result["id"],
        "title": "Rivers",
        "kind": "text",
        "content": "# Rivers\nThe Rhine.",
        "message": "The document is written, and the user sees it.",
    }
    assert await desk.contents(result["id"]) == ["# Rivers\nThe Rhine."]


async def test_the_mock_provider_writes(database: Database) -> None:
    provider = MockProvider()
    card = next(card for card in await provider.models() if card.id == "mock/echo")
    desk = Desk(database, provider, card)
    result = await desk.use("createDocument", title="An essay about echoes", kind="text")
    assert await desk.contents(result["id"]) == ["An essay about echoes"]


async def test_code_is_shown_whole_and_stored_without_its_fence(database: Database) -> None:
    program = "".join(f"print({number})\n" for number in range(40))
    said = f"Here is the program:\n```python\n{program}```\nIt counts."
    desk = Desk(database, Script(list(said)))
    result = await desk.use("createDocument", title="Count", kind="code")
    deltas = desk.data("data-codeDelta")
    assert deltas[-1] == program
    assert await desk.contents(result["id"]) == [program]
    assert len(deltas) > 2
    assert all(program.startswith(delta) for delta in deltas[1:])


async def test_a_long_program_costs_the_wire_a_few_times_its_length(database: Database) -> None:
    program = "x = 1  # a line\n" * 6_000
    desk = Desk(database, Script([program[i : i + 4] for i in range(0, len(program), 4)]))
    await desk.use("createDocument", title="Long", kind="code")
    assert sum(map(len, desk.data("data-codeDelta"))) < 11 * len(program)
    assert desk.data("data-codeDelta")[-1] == program


async def test_a_table_is_checked_row_by_row(database: Database) -> None:
    said = '```csv\nname,age\n\n"Ada, L.",36\nbroken,"never closed\n```'
    desk = Desk(database, Script([said]))
    result = await desk.use("createDocument", title="People", kind="sheet")
    table = 'name,age\n"Ada, L.",36\n'
    assert desk.parts()[-2:] == [("data-sheetDelta", table), ("data-finish", None)]
    assert await desk.contents(result["id"]) == [table]


async def test_what_is_no_table_at_all(database: Database) -> None:
    desk = Desk(database, Script(['"never closed']))
    with pytest.raises(ToolError, match="not CSV"):
        await desk.use("createDocument", title="People", kind="sheet")
    assert desk.parts()[-1] == ("data-finish", None)


async def test_images_are_refused(database: Database) -> None:
    desk = Desk(database, Script([]))
    with pytest.raises(ToolError, match="No model here makes images"):
        await desk.use("createDocument", title="A cat", kind="image")
    assert desk.shown == []


@pytest.mark.parametrize("said", [[], [" \n"], ["\x00"]])
async def test_a_model_without_words(database: Database, said: list[str]) -> None:
    desk = Desk(database, Script(said))
    with pytest.raises(ToolError, match="wrote nothing"):
        await desk.use("createDocument", title="Silence", kind="text")
    assert desk.parts()[-1] == ("data-finish", None)
    assert await desk.contents(desk.data("data-id")[0]) == []


async def test_what_a_failing_model_wrote_stays(database: Database) -> None:
    desk = Desk(database, Script(["Once upon "], failure="The model stopped answering."))
    with pytest.raises(ToolError, match=r"^The model stopped answering\.$"):
        await desk.use("createDocument", title="A tale", kind="text")
    assert await desk.contents(desk.data("data-id")[0]) == ["Once upon "]
    assert desk.parts()[-1] == ("data-finish", None)


@pytest.mark.parametrize("kind", ["text", "code", "sheet"])
async def test_what_a_stopped_model_wrote_stays(database: Database, kind: Kind) -> None:
    script = Script(["a,b\n", "1,2\n"], stall=True)
    desk = Desk(database, script)
    task = asyncio.create_task(desk.use("createDocument", title="A tale", kind=kind))
    await script.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert script.is_closed
    assert await desk.contents(desk.data("data-id")[0]) == ["a,b\n1,2\n"]
    assert desk.parts()[-1] == ("data-finish", None)


async def test_a_stop_within_the_storing_waits_for_it(database: Database) -> None:
    """Stops at every step of the end: whatever is shown is shown before the tool has ended."""
    for steps in range(0, 40, 3):
        desk = Desk(database, Script(["words"]))
        task = asyncio.create_task(desk.use("createDocument", title="A tale", kind="text"))
        while not desk.data("data-textDelta"):
            await asyncio.sleep(0)
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert desk.parts()[-1] == ("data-finish", None)
        assert await desk.contents(desk.data("data-id")[0]) == ["words"]


async def test_a_model_that_does_not_end_is_cut(database: Database) -> None:
    script = Script(["x" * 50_000] * 10)
    desk = Desk(database, script)
    result = await desk.use("createDocument", title="Long", kind="text")
    assert [len(text) for text in await desk.contents(result["id"])] == [MAX_CHARS]
    assert script.is_closed
    assert len(result["content"]) < 500


async def test_an_update_is_a_new_version(database: Database) -> None:
    script = Script(["The sea ", "is green."])
    desk = Desk(database, script)
    old = await desk.have("The sea is blue.")
    await desk.use("updateDocument", id=old.id, description="Make it green")
    assert await desk.contents(old.id) == ["The sea is blue.", "The sea is green."]
    assert [name for name, _ in desk.parts()] == [
        "data-kind",
        "data-id",
        "data-title",
        "data-clear",
        "data-textDelta",
        "data-textDelta",
        "data-finish",
    ]
    system, user = script.prompts[0].turns
    assert "The sea is blue." in system.text
    assert user.text == "Make it green"
    assert script.prompts[0].user == desk.user_id


async def test_what_does_not_fit_the_model_is_not_rewritten(database: Database) -> None:
    script = Script(["short"])
    desk = Desk(database, script)
    old = await desk.have("word " * 1_000)
    with pytest.raises(ToolError, match="this model can take 1500"):
        await desk.use("updateDocument", id=old.id, description="Shorten it")
    assert script.prompts == []


async def test_an_edit_replaces_one_passage(database: Database) -> None:
    desk = Desk(database, Script([]))
    old = await desk.have("The sky is blue. The sea is blue.")
    await desk.use("editDocument", id=old.id, old_string="sky is blue", new_string="sky is grey")
    newest = "The sky is grey. The sea is blue."
    assert await desk.contents(old.id) == [old.content, newest]
    assert desk.parts() == [
        ("data-kind", "text"),
        ("data-id", old.id),
        ("data-title", "Mine"),
        ("data-clear", None),
        ("data-textDelta", newest),
        ("data-finish", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"old_string": "moon", "new_string": "sun"}, "no such passage"),
        ({"old_string": "blue", "new_string": "red"}, "occurs 2 times"),
        ({"old_string": " ", "new_string": "x" * 150_000, "replace_all": True}, "longer than"),
        ({"old_string": "sky", "new_string": "x" * 199_990}, "at most 200000"),
    ],
)
async def test_edits_that_are_refused(
    database: Database, arguments: dict[str, Any], message: str
) -> None:
    desk = Desk(database, Script([]))
    old = await desk.have("The sky is blue. The sea is blue.")
    with pytest.raises(ToolError, match=message):
        await desk.use("editDocument", id=old.id, **arguments)
    assert await desk.contents(old.id) == [old.content]
    assert desk.shown == []


async def test_an_edit_of_every_passage(database: Database) -> None:
    desk = Desk(database, Script([]))
    old = await desk.have("blue blue", "code")
    await desk.use(
        "editDocument", id=old.id, old_string="blue", new_string="re\x00d", replace_all=True
    )
    assert (await desk.contents(old.id))[-1] == "red red"
    assert desk.data("data-codeDelta") == ["red red"]


async def test_an_edit_that_would_break_a_table(database: Database) -> None:
    desk = Desk(database, Script([]))
    old = await desk.have("a,b\n1,2\n", "sheet")
    with pytest.raises(ToolError, match="would not be CSV"):
        await desk.use("editDocument", id=old.id, old_string="1,", new_string='"1,')


async def test_edits_in_parallel_build_on_each_other(database: Database) -> None:
    desk = Desk(database, Script([]))
    old = await desk.have("".join(f"<{number}>" for number in range(8)))
    await asyncio.gather(
        *(
            desk.use("editDocument", id=old.id, old_string=f"<{n}>", new_string=f"[{n}]")
            for n in range(8)
        )
    )
    versions = await desk.contents(old.id)
    assert len(versions) == 9
    assert versions[-1] == "".join(f"[{number}]" for number in range(8))


SUGGESTIONS = """Sure! Here is the list:
```json
[{"original": "The sky are blue.", "suggested": "The sky is blue.", "description": "agreement"},
 {"original": "Not in the text", "suggested": "x", "description": "invented"},
 {"originalSentence": "It go down.", "suggestedSentence": "It goes down."},
 {"original": "Same.", "suggested": "Same."}, {"original": 3, "suggested": null},
"""


async def test_suggestions_are_kept_where_the_text_has_them(database: Database) -> None:
    desk = Desk(database, Script(SUGGESTIONS.splitlines(keepends=True)))
    document = await desk.have("The sky are blue. Same. It go down.")
    result = await desk.use("requestSuggestions", documentId=document.id)
    assert result["message"] == "2 suggestions are shown to the user."
    async with database.connection() as connection:
        stored = await suggestions.of_document(connection, document.id, desk.user_id)
    assert [(s.original_text, s.suggested_text, s.description) for s in stored] == [
        ("The sky are blue.", "The sky is blue.", "agreement"),
        ("It go down.", "It goes down.", ""),
    ]
    first, second = desk.data("data-suggestion")
    assert (first["id"], second["id"]) == tuple(s.id for s in stored)
    assert first["documentId"] == document.id
    assert first["isResolved"] is False
    assert (first["originalText"], first["suggestedText"]) == (
        "The sky are blue.",
        "The sky is blue.",
    )


async def test_at_most_five_suggestions_then_the_model_is_stopped(database: Database) -> None:
    lines = [f'{{"original": "word{n}", "suggested": "better"}},' for n in range(9)]
    script = Script(lines, stall=True)
    desk = Desk(database, script)
    document = await desk.have(" ".join(f"word{n}" for n in range(9)))
    await desk.use("requestSuggestions", documentId=document.id)
    assert len(desk.data("data-suggestion")) == 5
    assert script.is_closed


async def test_a_model_that_has_no_list(database: Database) -> None:
    desk = Desk(database, Script(["I like it. " * 5, "{" * 5_000, "}" * 5_000]))
    document = await desk.have("A text.")
    result = await desk.use("requestSuggestions", documentId=document.id)
    assert result["message"] == "Nothing to suggest."


async def test_documents_of_others_do_not_exist(database: Database) -> None:
    owner, thief = Desk(database, Script([])), Desk(database, Script(["x"]))
    document = await owner.have("Mine alone.")
    for document_id in (document.id, new_id()):
        for name, arguments in (
            ("updateDocument", {"id": document_id, "description": "steal"}),
            ("editDocument", {"id": document_id, "old_string": "Mine", "new_string": "His"}),
            ("requestSuggestions", {"documentId": document_id}),
        ):
            with pytest.raises(ToolError, match="There is no document with the id"):
                await thief.use(name, **arguments)
    assert thief.shown == []
    assert await owner.contents(document.id) == ["Mine alone."]


@pytest.mark.parametrize("document_id", ["a\x00bcdefgh", "' or 1=1 --", "../../etc", 7, None])
async def test_ids_that_are_none(database: Database, document_id: Any) -> None:
    with pytest.raises(ValidationError):
        await Desk(database, Script([])).use("requestSuggestions", documentId=document_id)


async def test_a_database_that_is_away(stores: StoreUrls) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    await database.open()
    desk = Desk(database, Script(["words"]))
    with pytest.raises(ToolError, match="cannot be reached at the moment"):
        await desk.use("createDocument", title="Lost", kind="text")
    assert desk.parts()[-1] == ("data-finish", None)
    await database.close()


def test_the_schemas_are_what_models_are_told() -> None:
    tools = {tool.name: tool for tool in document_tools(Database("postgresql://unused"))}
    properties = {
        name: sorted(tool.arguments.model_json_schema()["properties"])
        for name, tool in tools.items()
    }
    assert properties == {
        "createDocument": ["kind", "title"],
        "updateDocument": ["description", "id"],
        "editDocument": ["id", "new_string", "old_string", "replace_all"],
        "requestSuggestions": ["documentId"],
    }
