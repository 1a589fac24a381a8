"""A deterministic model that calls tools: what it is to call stands in the question.

`getWeather({"city": "Paris"}) wait({"seconds": 2})` calls both at once; a question without a
call asks for the weather of the place that it names after "in". With the results it answers,
and tells what images it was given; if the question says `forever` it calls the same again, if it
says `then die` it breaks.
"""

import re
from collections.abc import AsyncIterator

import orjson

from raylm.core.wire.events import Event, TextDelta, ToolCallDelta, ToolCallStarted
from raylm.core.wire.prompt import Image, ImageLink, Prompt, ToolCall, Turn
from raylm.core.wire.tool_naming import new_call_id, tool_name
from raylm_apps.gateway.providers.base import ProviderError

PIECE_CHARS = 8
_CALL = re.compile(r"([A-Za-z_][\w-]*)\((.*?)\)(?=\s|$)")
_PLACE = re.compile(r"\bin ([A-Z][\w' -]*)")


async def call_tools(prompt: Prompt) -> AsyncIterator[Event]:
    asked = next(turn for turn in reversed(prompt.turns) if turn.role == "user")
    question = asked.text
    results = _newest_results(prompt)
    if results and "then die" in question:
        raise ProviderError("The model stopped answering. Please try again.", cause="mock/tools")
    if prompt.tool_choice == "none" or not prompt.tools or (results and "forever" not in question):
        answer = _answer(question, results)
        for word in (f"{sight(asked)} {answer}" if asked.images else answer).split(" "):
            yield TextDelta(f"{word} ")
        return
    yield TextDelta("Let me see. ")
    calls = [ToolCall(new_call_id(), tool_name(n), text) for n, text in _calls(question)]
    for call in calls:
        yield ToolCallStarted(call.id, call.name)
        for start in range(0, len(call.arguments), PIECE_CHARS):
            yield ToolCallDelta(call.id, call.arguments[start : start + PIECE_CHARS])
    for call in calls:
        yield call


def sight(turn: Turn) -> str:
    images = [_sight(image) for image in turn.images]
    return f"I see {', '.join(images) or 'no image'}."


def _sight(image: Image | ImageLink) -> str:
    if isinstance(image, ImageLink):
        return f"a link to {image.url}"
    return f"{image.media_type} of {len(image.data)} bytes"


def _newest_results(prompt: Prompt) -> list[Turn]:
    """The tools' results at the end of the prompt."""
    results: list[Turn] = []
    for turn in reversed(prompt.turns):
        if turn.role != "tool":
            break
        results.insert(0, turn)
    return results


def _calls(question: str) -> list[tuple[str, str]]:
    if named := _CALL.findall(question):
        return named
    place = _PLACE.search(question)
    city = place[1].strip() if place else "Berlin"
    return [("getWeather", orjson.dumps({"city": city}).decode())]


def _answer(question: str, results: list[Turn]) -> str:
    if not results:
        return f"I have no tools. {question}"
    return " ".join(_sentence(result.text) for result in results)


def _sentence(result: str) -> str:
    try:
        found = orjson.loads(result)
        weather = found["current"]["temperature_2m"]
        return f"The current temperature in {found['cityName']} is {weather:g}°C."
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
        return f"The tool said: {result[:200]}"
