"""A deterministic model that writes documents beside the chat, as people ask in plain words.

"Write ..." begins one: a program where the words say code, a table where they say table, else an
essay; an endless one never ends by itself. What changes or reviews goes to the newest document of
the chat; all else is answered.
"""

import asyncio
import re
from collections.abc import AsyncIterator

import orjson

from raylm.core.wire.events import Event, TextDelta, ToolCallDelta, ToolCallStarted
from raylm.core.wire.prompt import Prompt, ToolCall
from raylm.core.wire.tool_naming import new_call_id, tool_name

PAUSE_S = 0.004
"""Between words, so that a document is seen to grow."""
_NEW = re.compile(r"\b(write|create|draft)\b", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(polish|rewrite|add|adjust|change|fix|format|analy[sz]e|continue)\b", re.IGNORECASE
)
_REVIEW = re.compile(r"\bsuggest", re.IGNORECASE)
_CODE = re.compile(r"\b(code|program|script|function)\b", re.IGNORECASE)
_SHEET = re.compile(r"\b(table|sheet|spreadsheet|csv)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[A-Z][^.\n]{10,200}\.")


async def work_on_documents(prompt: Prompt) -> AsyncIterator[Event]:
    if prompt.tools and prompt.turns[-1].role == "user" and (call := _call(prompt)):
        yield ToolCallStarted(call.id, call.name)
        yield ToolCallDelta(call.id, call.arguments)
        yield call
        return
    for word in re.findall(r"\s*\S+\s*", _words(prompt)):
        yield TextDelta(word)
        await asyncio.sleep(PAUSE_S)
    if _is_writing(prompt) and "endless" in prompt.turns[-1].text:
        await asyncio.Event().wait()


def _is_writing(prompt: Prompt) -> bool:
    first = prompt.turns[0]
    return first.role == "system" and "the document alone" in first.text


def _call(prompt: Prompt) -> ToolCall | None:
    question, newest = prompt.turns[-1].text, _newest_id(prompt)
    if newest and _REVIEW.search(question):
        return _tool("requestSuggestions", documentId=newest)
    if newest and _CHANGE.search(question):
        return _tool("updateDocument", id=newest, description=question)
    if _NEW.search(question):
        kind = "code" if _CODE.search(question) else "sheet" if _SHEET.search(question) else "text"
        return _tool("createDocument", title=question, kind=kind)
    return None


def _tool(name: str, **arguments: str) -> ToolCall:
    return ToolCall(new_call_id(), tool_name(name), orjson.dumps(arguments).decode())


def _newest_id(prompt: Prompt) -> str | None:
    for turn in reversed(prompt.turns):
        if turn.role == "tool" and (found := re.search(r'"id":\s*"([^"]+)"', turn.text)):
            return found[1]
    return None


def _words(prompt: Prompt) -> str:
    first, last = prompt.turns[0], prompt.turns[-1]
    if last.role == "tool":
        return "The document is beside our chat."
    if first.role == "system" and "improve texts" in first.text:
        return _suggestions(last.text)
    if first.role == "system" and "document below" in first.text:
        return _revised(first.text.partition("\n\n")[2], last.text)
    if _is_writing(prompt):
        return _written(first.text, last.text)
    return f"About the document: {last.text}"


def _written(form: str, title: str) -> str:
    if "CSV" in form:
        rows = "\n".join(f"Month {month},{month * 7},{month * 3}" for month in range(1, 13))
        return f"```csv\nmonth,income,costs\n{rows}\n```"
    if "program" in form:
        return f"```python\n{_program(title)}\n```"
    paragraphs = 40 if "long" in title else 6
    return "\n\n".join([f"# {title}", *map(_paragraph, range(1, paragraphs + 1))])


def _program(title: str) -> str:
    fault = '\nraise ValueError("it is broken")' if "broken" in title else ""
    return (
        f"# {title}\n\n\ndef squares(count):\n"
        '    """The first square numbers, in order."""\n'
        "    return [number * number for number in range(1, count + 1)]\n\n\n"
        "def describe(numbers):\n"
        '    """How many there are, their sum and the largest."""\n'
        '    return f"{len(numbers)} numbers, sum {sum(numbers)}, largest {max(numbers)}"\n\n\n'
        f"print(describe(squares(10))){fault}"
    )


def _paragraph(number: int) -> str:
    return (
        f"Paragraph {number} says something **important**. It goes on for a while because a "
        "document should be long enough to read. Then it comes to its end."
    )


def _revised(document: str, wish: str) -> str:
    if document.startswith("month,"):
        return f"{document.rstrip()}\nTotal,546,234"
    if "def " in document:
        return f"# Changed: {wish.splitlines()[0]}\n{document}"
    return document.replace("for a while", "for quite a while", 1) + f"\n\nRevised: {wish}"


def _suggestions(document: str) -> str:
    changes = [
        {"original": said, "suggested": f"In short: {said}", "description": "It is clearer so."}
        for said in dict.fromkeys(_SENTENCE.findall(document))
    ]
    return orjson.dumps(changes[:2]).decode()
