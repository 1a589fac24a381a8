"""Streams are merged, passed on at once, and joined only where more is ready."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from raylm.core.errors import EngineError
from raylm.core.sampling import SamplingParams
from raylm.serve.generation import Piece, collect, generate

PARAMS = SamplingParams(max_tokens=50)
SENTENCE = "The capital of France is Paris."


async def test_a_ready_reader_gets_every_token_alone(engine):
    engine.token_s = 0.002
    batches = [batch async for batch in generate(engine, [[1]], PARAMS, "r")]
    assert [batch[0].text for batch in batches[:3]] == ["The", " capital", " of"]
    assert len(batches) == 7


async def test_the_first_token_does_not_wait_for_the_second(engine):
    engine.token_s = 0.05
    async with aclosing(generate(engine, [[1]], PARAMS, "r")) as batches:
        first = await asyncio.wait_for(anext(batches), 0.09)
    assert first[0].text == "The"


async def test_a_late_reader_gets_what_gathered_in_one(engine):
    engine.token_s = 0.001
    async with aclosing(generate(engine, [[1]], PARAMS, "r")) as batches:
        await anext(batches)
        await asyncio.sleep(0.1)
        rest = await anext(batches)
    assert rest[0].text == SENTENCE.removeprefix("The")
    assert rest[0].token_count == 6
    assert rest[0].finish_reason == "stop"


async def test_choices_are_numbered_prompt_by_prompt(engine):
    pieces = await collect(generate(engine, [[1], [2, 3]], replace(PARAMS, n=2), "r"), 4)
    assert [piece.text for piece in pieces] == [SENTENCE] * 4
    assert [piece.prompt_tokens for piece in pieces] == [1, 1, 2, 2]


async def test_closing_frees_everything_at_once(engine):
    engine.endless = True
    async with aclosing(generate(engine, [[1], [2], [3]], PARAMS, "r")) as batches:
        await anext(batches)
        assert len(engine.held) == 3
    assert not engine.held


async def test_one_failing_stream_frees_the_others(engine):
    engine.fail_after = 2
    engine.endless = True
    engine.token_s = 0.001
    batches = generate(engine, [[1], [2]], PARAMS, "r")
    assert (await anext(batches))[0].text == "The"
    with pytest.raises(EngineError, match="kernel"):
        await collect(batches, 2)
    assert not engine.held


def test_pieces_add_up():
    whole = Piece("a", 1, (), None, 5, 2) + Piece("b", 2, (), "stop", 5, 2)
    assert whole == Piece("ab", 3, (), "stop", 5, 2)
    assert whole.counts() == Piece("", 3, (), "stop", 5, 2)
