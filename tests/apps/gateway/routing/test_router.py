"""Routing over real servers that misbehave: who is asked next, and what the reader sees of it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raylm.core.wire.events import Continued, Finished, Restarted, TextDelta, ToolCallStarted
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Image, Sampling, ToolDefinition, Turn
from raylm_apps.gateway.providers.base import ModelCard, Provider, ProviderError
from raylm_apps.gateway.routing import watching
from raylm_apps.gateway.routing.chat_call import GO_ON, ChatCall
from raylm_apps.gateway.routing.circuit import State
from tests.apps.gateway.routing.bench import PROMPT, Bench, bench, text_of
from tests.apps.gateway.routing.upstream import (
    Behaviour,
    calling,
    refusing,
    refusing_to_speak,
    saying,
    silent,
)

GOOD = saying("Good ", "day")
HTML = "<html><body>502 Bad Gateway, nginx, 10.1.2.3</body></html>"


def group(*names: str, **more: Any) -> dict[str, Any]:
    members = [name if "/" in name else f"up/{name}" for name in names]
    return {"g": {"members": members, **more}}


FAULTS: dict[str, tuple[Behaviour, Failure]] = {
    "hangs up": (refusing_to_speak, Failure.UNREACHABLE),
    "stalls before the first token": (silent, Failure.TIMEOUT),
    "429": (refusing(429), Failure.BUSY),
    "429 with Retry-After": (refusing(429, retry_after="7"), Failure.BUSY),
    "401": (refusing(401), Failure.KEY),
    "404": (refusing(404), Failure.MISSING),
    "500 in HTML": (refusing(500, HTML), Failure.SERVER),
    "closes cleanly without a word": (saying(end="close"), Failure.BROKEN_OFF),
}


@pytest.mark.parametrize(("bad", "failure"), FAULTS.values(), ids=FAULTS.keys())
async def test_who_does_not_begin_is_passed_over(
    tmp_path: Path, bad: Behaviour, failure: Failure
) -> None:
    groups = group("bad", "good", first_token_s=0.3)
    async with bench(tmp_path, {"bad": bad, "good": GOOD}, groups=groups) as world:
        provider, _ = await world.catalog.resolve("g")
        async with aclosing(await provider.open(ChatCall(PROMPT))) as answer:
            assert answer.model == "up/good"
            assert [(one.model, one.failure) for one in answer.attempts] == [
                ("up/bad", failure),
                ("up/good", None),
            ]
            assert 0 <= answer.overhead_s < answer.attempts[1].seconds + 0.25
            assert text_of([event async for event in answer]) == "Good day"
        assert world.attempts() == {("bad", failure): 1, ("good", "none"): 1}


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/v1", "http://no-such-host.invalid/v1", "https://127.0.0.1:{port}/v1"],
    ids=["nobody listens", "no such name", "no TLS there"],
)
async def test_who_cannot_be_reached_is_passed_over(tmp_path: Path, address: str) -> None:
    async with bench(tmp_path, {"good": GOOD}) as other:
        port = other.upstream._runner.addresses[0][1]
        away = {"kind": "openai", "base_url": address.format(port=port), "models": ["m"]}
        async with bench(
            tmp_path,
            {"good": GOOD},
            providers={"away": away},
            groups=group("away/m", "good"),
        ) as world:
            events = await world.answer("g")
            assert text_of(events) == "Good day"
            assert world.attempts() == {("m", "unreachable"): 1, ("good", "none"): 1}
            with pytest.raises(ProviderError, match="cannot be reached") as error:
                await world.answer("away/m")
            assert "127.0.0.1" not in error.value.message


async def test_all_down_is_one_clear_error(tmp_path: Path) -> None:
    groups = group("a", "b", "c", fallbacks=["up/d"])
    behaviours = {
        "a": refusing(500, HTML),
        "b": refusing(429, retry_after="30"),
        "c": refusing_to_speak,
        "d": refusing(401),
    }
    async with bench(tmp_path, behaviours, groups=groups) as world:
        with pytest.raises(ProviderError) as error:
            await world.answer("g")
        assert error.value.message == (
            "None of the models behind g can answer at the moment. Please try again."
        )
        assert error.value.cause == ("up/a: server; up/b: busy; up/c: unreachable; up/d: key")
        assert error.value.retry_after_s == 30
        assert world.upstream.names() == ["a", "b", "c", "d"]


MIDWAY = {
    "resets": (saying("One ", "two ", end="reset"), Failure.BROKEN_OFF),
    "stalls": (saying("One ", "two ", end="stall"), Failure.TIMEOUT),
    "closes without a finish": (saying("One ", "two ", end="close"), Failure.BROKEN_OFF),
}


@pytest.mark.parametrize(("bad", "failure"), MIDWAY.values(), ids=MIDWAY.keys())
async def test_who_breaks_off_is_continued_by_another(
    tmp_path: Path, bad: Behaviour, failure: Failure
) -> None:
    groups = group("bad", "good", inter_token_s=0.3)
    async with bench(tmp_path, {"bad": bad, "good": saying("three.")}, groups=groups) as world:
        events = await world.answer("g")
        assert events[:4] == [
            TextDelta("One "),
            TextDelta("two "),
            Continued("up/good"),
            TextDelta("three."),
        ]
        assert isinstance(events[4], Finished)
        assert events[4].model == "up/good"
        assert world.upstream.asked[1]["messages"] == [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "One two "},
            {"role": "user", "content": GO_ON},
        ]
        assert world.attempts() == {
            ("bad", "none"): 1,
            ("bad", failure): 1,
            ("good", "none"): 1,
        }


async def test_a_reader_who_knows_it_sees_the_answer_start_again(tmp_path: Path) -> None:
    behaviours = {"bad": saying("One ", end="close"), "good": saying("Two.")}
    async with bench(tmp_path, behaviours, groups=group("bad", "good")) as world:
        events = await world.answer("g", replace(PROMPT, restarts=True))
        assert events[:3] == [TextDelta("One "), Restarted("up/good"), TextDelta("Two.")]
        assert world.upstream.asked[1]["messages"] == [{"role": "user", "content": "Hi"}]


async def test_half_a_tool_call_is_asked_for_again(tmp_path: Path) -> None:
    behaviours = {"bad": calling("getWeather", '{"ci'), "good": saying("Rain.")}
    async with bench(tmp_path, behaviours, groups=group("bad", "good")) as world:
        events = await world.answer("g")
        assert isinstance(events[0], ToolCallStarted)
        assert Continued("up/good") in events
        assert len(world.upstream.asked[1]["messages"]) == 1


async def test_nobody_is_told_of_a_change_to_one_who_does_not_begin_either(tmp_path: Path) -> None:
    bad = saying("One ", end="close")
    behaviours = {"a": bad, "b": refusing(500), "c": bad, "d": saying("two.")}
    async with bench(tmp_path, behaviours, groups=group("a", "b", "c", "d")) as world:
        events = await world.answer("g")
        assert [event for event in events if isinstance(event, Continued)] == [
            Continued("up/c"),
            Continued("up/d"),
        ]
        assert text_of(events) == "One One two."
        assert world.upstream.asked[3]["messages"][1]["content"] == "One One "


async def test_an_answer_that_nobody_can_go_on_with_breaks_off(tmp_path: Path) -> None:
    bad = saying("One ", end="close")
    async with bench(tmp_path, {"a": bad, "b": refusing(500)}, groups=group("a", "b")) as world:
        provider, card = await world.catalog.resolve("g")
        events = provider.stream(card, PROMPT)
        assert await anext(events) == TextDelta("One ")
        with pytest.raises(ProviderError, match="None of the models behind g"):
            await anext(events)
        with pytest.raises(ProviderError, match="The model's answer broke off"):
            await world.answer("up/a")


async def test_questions_find_those_who_take_them(tmp_path: Path) -> None:
    too_long = refusing(400, '{"error": "maximum context length is 8192 tokens"}')
    policy = refusing(400, '{"error": "flagged by our content policy"}')
    wrong = refusing(400, '{"error": "messages.0 must be an object"}')
    groups = {
        **group("long", "good", context_fallbacks=["up/large"], policy_fallbacks=["other"]),
        "other": {"members": ["up/free"]},
        "p": {"members": ["up/policy", "up/good"], "policy_fallbacks": ["other"]},
        "w": {"members": ["up/wrong", "up/good"], "fallbacks": ["up/good"]},
    }
    behaviours = {
        "long": too_long,
        "policy": policy,
        "wrong": wrong,
        "good": GOOD,
        "large": saying("long"),
        "free": saying("free"),
    }
    async with bench(tmp_path, behaviours, groups=groups) as world:
        assert text_of(await world.answer("g")) == "long"
        assert text_of(await world.answer("p")) == "free"
        with pytest.raises(ProviderError, match="did not accept this request"):
            await world.answer("w")
        assert world.upstream.names() == ["long", "large", "policy", "free", "wrong"]
        assert world.board.state("up/wrong") is State.CLOSED


async def test_failures_open_the_circuit_and_retry_after_says_for_how_long(
    tmp_path: Path,
) -> None:
    groups = group("busy", "bad", "good", allowed_fails=1)
    behaviours = {"busy": refusing(429, retry_after="70"), "bad": refusing(500), "good": GOOD}
    async with bench(tmp_path, behaviours, groups=groups) as world:
        for _ in range(4):
            assert text_of(await world.answer("g")) == "Good day"
        assert Counter(world.upstream.names()) == {"busy": 1, "bad": 2, "good": 4}
        assert 60 < world.board.open_for_s("up/busy") <= 70
        assert world.registry.get_sample_value("raylm_circuit_open", {"model": "up/bad"}) == 1
        # asked for by its own name it is asked: there is nobody else
        with pytest.raises(ProviderError):
            await world.answer("up/bad")
        assert world.upstream.names()[-1] == "bad"


async def test_all_left_alone_is_said_without_asking_anybody(tmp_path: Path) -> None:
    groups = group("a", "b")
    busy = refusing(429, retry_after="50")
    async with bench(tmp_path, {"a": busy, "b": busy}, groups=groups) as world:
        for _ in range(2):
            with pytest.raises(ProviderError) as error:
                await world.answer("g")
        assert "have failed lately and are left alone for 50 s" in error.value.message
        assert 45 < (error.value.retry_after_s or 0) <= 50
        assert len(world.upstream.asked) == 2


async def test_after_the_cooldown_one_probes_while_the_others_go_elsewhere(
    tmp_path: Path,
) -> None:
    behaviours = {"a": refusing(500), "b": GOOD}
    groups = group("a", "b", allowed_fails=0, cooldown_s=0.2)
    async with bench(tmp_path, behaviours, groups=groups) as world:
        await world.answer("g")
        assert world.board.state("up/a") is State.OPEN
        await asyncio.sleep(0.25)
        gate = asyncio.Event()

        async def slow(request: Any) -> Any:
            await gate.wait()
            return await GOOD(request)

        world.upstream.models["a"] = slow
        world.upstream.asked.clear()
        probe = asyncio.create_task(world.answer("g"))
        while not world.upstream.asked:
            await asyncio.sleep(0.01)
        others = await asyncio.gather(*(world.answer("g") for _ in range(5)))
        assert Counter(world.upstream.names()) == {"a": 1, "b": 5}
        assert all(text_of(events) == "Good day" for events in others)
        gate.set()
        await probe
        assert world.board.state("up/a") is State.CLOSED
        await world.answer("g")
        assert world.upstream.names()[-1] == "a"


async def test_a_probe_whose_client_goes_lets_another_try(tmp_path: Path) -> None:
    groups = group("a", "b", allowed_fails=0, cooldown_s=0.1)
    async with bench(tmp_path, {"a": refusing(500), "b": GOOD}, groups=groups) as world:
        await world.answer("g")
        await asyncio.sleep(0.15)
        world.upstream.models["a"] = silent
        probe = asyncio.create_task(world.answer("g"))
        while world.upstream.names()[-1] != "a" or len(world.upstream.asked) < 3:
            await asyncio.sleep(0.01)
        assert not world.board.may_ask("up/a")
        probe.cancel()
        await asyncio.wait([probe])
        assert world.board.may_ask("up/a")


@pytest.mark.parametrize("words", [(), ("One ",)], ids=["before it began", "in mid-stream"])
async def test_the_upstream_is_cancelled_at_once_when_the_client_goes(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Within 50 ms; the best of some, for the machine may be busy with other things."""
    behaviours = {"a": saying(*words, end="stall") if words else silent}
    async with bench(tmp_path, behaviours, groups=group("a")) as world:
        seconds = [await seconds_to_cancel(world) for _ in range(5)]
        assert min(seconds) < 0.05


async def seconds_to_cancel(world: Bench) -> float:
    seen = len(world.upstream.asked)
    world.upstream.cancelled_at.clear()
    reading = asyncio.create_task(world.answer("g"))
    while len(world.upstream.asked) == seen:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    reading.cancel()
    await asyncio.wait_for(world.upstream.cancelled_at.wait(), 5)
    return time.perf_counter() - started


async def test_closing_an_answer_that_was_never_read_cancels_it_too(tmp_path: Path) -> None:
    async with bench(tmp_path, {"a": saying("One ", end="stall")}, groups=group("a")) as world:
        provider, _ = await world.catalog.resolve("g")
        answer = await provider.open(ChatCall(PROMPT))
        assert world.catalog._router._known.load.in_flight("up/a") == 1
        await answer.aclose()
        await asyncio.wait_for(world.upstream.cancelled_at.wait(), 5)
        assert world.catalog._router._known.load.in_flight("up/a") == 0


async def test_whoever_begins_first_wins_and_the_other_is_cancelled(tmp_path: Path) -> None:
    groups = group("slow", "quick", hedge_after_s=0.1)
    behaviours = {"slow": saying("slow", first_s=30), "quick": saying("quick")}
    async with bench(tmp_path, behaviours, groups=groups) as world:
        provider, _ = await world.catalog.resolve("g")
        async with aclosing(await provider.open(ChatCall(PROMPT))) as answer:
            assert text_of([event async for event in answer]) == "quick"
            assert {(one.model, one.failure) for one in answer.attempts} == {
                ("up/slow", "overtaken"),
                ("up/quick", None),
            }
        await asyncio.wait_for(world.upstream.cancelled_at.wait(), 5)
        assert world.upstream.cancelled == ["slow"]
        assert world.board.state("up/slow") is State.CLOSED


async def test_a_hedge_that_is_not_needed_is_not_made(tmp_path: Path) -> None:
    groups = group("a", "b", hedge_after_s=5)
    async with bench(tmp_path, {"a": GOOD, "b": GOOD}, groups=groups) as world:
        assert text_of(await world.answer("g")) == "Good day"
        assert world.upstream.names() == ["a"]


@pytest.mark.parametrize("bad", ["slow", "quick"])
async def test_of_two_that_race_one_may_fail(tmp_path: Path, bad: str) -> None:
    async def fails(request: Any) -> Any:
        await asyncio.sleep(0.2)
        return await refusing(500)(request)

    behaviours = {"slow": saying("slow", first_s=0.4), "quick": saying("quick", first_s=0.4)}
    behaviours[bad] = fails
    groups = group("slow", "quick", hedge_after_s=0.05)
    async with bench(tmp_path, behaviours, groups=groups) as world:
        assert text_of(await world.answer("g")) in {"slow", "quick"} - {bad}
        assert Counter(world.upstream.names()) == {"slow": 1, "quick": 1}


async def test_a_race_that_is_lost_by_both_goes_on_with_the_fallbacks(tmp_path: Path) -> None:
    async def fails(request: Any) -> Any:
        await asyncio.sleep(0.2)
        return await refusing(500)(request)

    groups = group("a", "b", hedge_after_s=0.05, fallbacks=["up/c"])
    async with bench(tmp_path, {"a": fails, "b": fails, "c": GOOD}, groups=groups) as world:
        assert text_of(await world.answer("g")) == "Good day"


async def test_a_client_that_goes_while_two_race_cancels_both(tmp_path: Path) -> None:
    groups = group("a", "b", hedge_after_s=0.05)
    async with bench(tmp_path, {"a": silent, "b": silent}, groups=groups) as world:
        reading = asyncio.create_task(world.answer("g"))
        while world.upstream.open < 2:
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.wait([reading])
        async with asyncio.timeout(5):
            while world.upstream.open:
                await asyncio.sleep(0.01)


async def test_weights_are_kept_over_many_answers(tmp_path: Path) -> None:
    members = [{"model": "up/a", "weight": 4}, {"model": "up/b", "weight": 1}]
    groups = {"g": {"strategy": "weighted", "members": members}}
    async with bench(tmp_path, {"a": GOOD, "b": GOOD}, groups=groups) as world:
        draws = iter([(2 * n + 1) / 40 for n in range(20)])
        world.catalog._router._draw = lambda: next(draws)
        for _ in range(20):
            await world.answer("g")
        assert Counter(world.upstream.names()) == {"a": 16, "b": 4}


async def test_the_least_busy_the_quickest_and_the_cheapest(tmp_path: Path) -> None:
    prices = {"up/a": 10, "up/b": 1}
    models = {name: {"prices": {"input": one, "output": one}} for name, one in prices.items()}
    both = ["up/a", "up/b"]
    groups = {
        name: {"strategy": name, "members": both}
        for name in ("least-busy", "lowest-latency", "cheapest")
    }
    behaviours = {"a": saying("a", end="stall"), "b": saying("b", first_s=0.3)}
    async with bench(tmp_path, behaviours, groups=groups, models=models) as world:
        provider, _ = await world.catalog.resolve("up/a")
        async with aclosing(await provider.open(ChatCall(PROMPT))):
            assert text_of(await world.answer("least-busy")) == "b"
        assert text_of(await world.answer("cheapest")) == "b"
        world.upstream.models["a"] = saying("a")
        assert text_of(await world.answer("lowest-latency")) == "a"


async def test_members_get_what_they_can_take(tmp_path: Path) -> None:
    """A group takes what all its members do; a fallback may take less."""
    models = {"up/blind": {"tools": False, "vision": False}, "up/all": {"vision": True}}
    groups = group("all", fallbacks=["up/blind"])
    behaviours = {"all": refusing(500), "blind": GOOD}
    tool = ToolDefinition("getWeather", "", {"type": "object"})
    prompt = replace(
        PROMPT,
        turns=[Turn("user", "Hi", images=[Image("image/png", b"png")])],
        tools=[tool],
        sampling=Sampling(max_tokens=5),
    )
    async with bench(tmp_path, behaviours, groups=groups, models=models) as world:
        await world.answer("g", prompt)
        first, second = world.upstream.asked
        assert "tools" in first
        assert "tools" not in second
        assert second["messages"] == [{"role": "user", "content": "Hi"}]
        assert second["max_completion_tokens"] == 5


async def test_a_member_that_refuses_tools_leaves_them_to_another(tmp_path: Path) -> None:
    behaviours = {"plain": refusing(400, '{"error": "plain does not support tools"}'), "good": GOOD}
    prompt = replace(PROMPT, tools=[ToolDefinition("getWeather", "", {"type": "object"})])
    async with bench(tmp_path, behaviours, groups=group("plain", "good")) as world:
        assert text_of(await world.answer("g", prompt)) == "Good day"
        assert world.board.state("up/plain") is State.CLOSED


class Letters:
    """A call of something else than events, which nobody can go on with."""

    goes_on = False

    async def start(
        self, card: ModelCard, provider: Provider, said: Sequence[str]
    ) -> AsyncGenerator[str, None]:
        assert not said
        if card.id == "up/a":
            raise ProviderError.of(Failure.BUSY, "no")
        for letter in "xyz":
            yield letter
        if card.id == "up/b":
            raise ProviderError.of(Failure.BROKEN_OFF, "snap")


async def test_a_call_may_stream_anything(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, groups=group("a", "b", "c")) as world:
        provider, _ = await world.catalog.resolve("g")
        answer = await provider.open(Letters())
        letters = aiter(answer)
        assert [await anext(letters) for _ in range(3)] == ["x", "y", "z"]
        with pytest.raises(ProviderError, match="broke off"):
            await anext(letters)
        await answer.aclose()
        assert [(one.model, one.failure) for one in answer.attempts] == [
            ("up/a", Failure.BUSY),
            ("up/b", None),
            ("up/b", Failure.BROKEN_OFF),
        ]


async def test_a_slow_reader_is_no_silence(tmp_path: Path) -> None:
    groups = group("a", first_token_s=0.2, inter_token_s=0.2)
    async with bench(tmp_path, {"a": saying(*"abc")}, groups=groups) as world:
        provider, card = await world.catalog.resolve("g")
        events = []
        async for event in provider.stream(card, PROMPT):
            await asyncio.sleep(0.3)
            events.append(event)
        assert text_of(events) == "abc"


async def test_each_fallback_is_a_line_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    log = SimpleNamespace(warning=lambda event, **more: lines.append({"event": event, **more}))
    monkeypatch.setattr(watching, "logger", log)
    behaviours = {"a": refusing(500, HTML), "b": refusing(429), "c": GOOD}
    async with bench(tmp_path, behaviours, groups=group("a", "b", "c")) as world:
        await world.answer("g")
    assert [(line["asked"], line["model"], line["failure"], line["to"]) for line in lines] == [
        ("g", "up/a", "server", "up/b"),
        ("g", "up/b", "busy", "up/c"),
    ]
    assert "10.1.2.3" not in str(lines)


async def test_a_model_alone_is_never_left_alone(tmp_path: Path) -> None:
    """Its failures count for the groups that have it, by what they allow."""
    groups = {**group("a", "b", allowed_fails=6), "strict": {"members": ["up/a", "up/b"]}}
    async with bench(tmp_path, {"a": refusing(500), "b": GOOD}, groups=groups) as world:
        for _ in range(5):
            with pytest.raises(ProviderError):
                await world.answer("up/a")
        assert world.board.state("up/a") is State.CLOSED
        await world.answer("g")
        assert world.board.state("up/a") is State.CLOSED
        await world.answer("strict")
        assert world.board.state("up/a") is State.OPEN
