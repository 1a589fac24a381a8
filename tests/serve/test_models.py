"""Models come, are exchanged and go while requests run; two replicas agree by one board."""

import asyncio

import pytest

from raylm.core.errors import EngineError, InUseError, ModelNotFoundError, OutOfMemoryError
from raylm.core.sampling import SamplingParams
from raylm.core.schema import ModelConfig
from raylm.serve.board import LocalBoard
from raylm.serve.models import Models
from tests.serve.conftest import FakeLoader


@pytest.fixture
def board():
    return LocalBoard()


@pytest.fixture
def loader():
    return FakeLoader()


def config(model, **options):
    return ModelConfig(model=model, **options)


async def replica(loader, board, drain_s=5.0):
    models = Models(loader, board, drain_s)
    models.open(config("first"))
    await models.start()
    return models


def ids(models):
    return [served.id for served in models]


async def test_a_model_is_loaded_found_and_unloaded(loader, board):
    models = await replica(loader, board)
    served = await models.load(config("second"))
    assert served.engine.running
    assert await models.find("raylm/second") is await models.find("second") is served
    assert ids(models) == ["raylm/first", "raylm/second"]
    await models.unload("second")
    assert not served.engine.running
    with pytest.raises(ModelNotFoundError, match="'raylm/first'"):
        await models.find("second")
    await models.unload("first")
    with pytest.raises(ModelNotFoundError, match="none"):
        await models.find("first")


async def test_loading_twice_is_loading_once(loader, board):
    models = await replica(loader, board)
    first, again = await asyncio.gather(*(models.load(config("second")) for _ in range(2)))
    assert first is again
    assert len(loader.loaded) == 2
    with pytest.raises(InUseError, match="update it"):
        await models.load(config("second", threads=2))


async def test_what_cannot_be_loaded_changes_nothing(loader, board):
    models = await replica(loader, board)
    with pytest.raises(ModelNotFoundError):
        await models.load(config("missing"))
    loader.full = True
    for change in (models.load(config("second")), models.update("first", {"model": "better"})):
        with pytest.raises(OutOfMemoryError):
            await change
    assert (await models.find("first")).engine.model_name == "first"
    assert list(board.read()) == ["raylm/first"]
    with pytest.raises(ModelNotFoundError):
        await models.update("second", {"model": "better"})


async def test_an_update_keeps_the_id_and_the_options(loader, board):
    models = await replica(loader, board)
    await models.load(config("second", threads=3))
    served = await models.update("second", {"model": "better"})
    assert served.id == "raylm/second"
    assert served.engine.model_name == "better"
    assert board.read()["raylm/second"].config == config("better", threads=3)


async def test_streams_end_on_the_weights_they_began_on(loader, board):
    loader.token_s = 0.02
    models = await replica(loader, board)
    old = await models.find("first")
    with old.held():
        stream = old.engine.stream([1], SamplingParams(), "r")
        said = (await anext(stream)).text
        served = await models.update("first", {"model": "better"})
        assert (await models.find("first")) is served
        assert old.engine.running
        async for delta in stream:
            said += delta.text
    await asyncio.sleep(0.05)
    assert said == "The capital of France is Paris."
    assert not old.engine.running


async def test_the_end_of_the_app_ends_what_is_being_let_go_too(loader, board):
    models = await replica(loader, board)
    old = await models.find("first")
    with old.held():
        new = await models.update("first", {"model": "better"})
        await asyncio.sleep(0.01)
        await asyncio.wait_for(models.shutdown(0), 2)
    assert not old.engine.running
    assert not new.engine.running


async def test_whoever_holds_a_model_too_long_loses_it(loader, board):
    models = await replica(loader, board, drain_s=0.05)
    served = await models.find("first")
    with served.held():
        await asyncio.wait_for(models.unload("first"), 10)
        assert not served.engine.running


async def test_other_replicas_follow(board):
    one, other = await replica(FakeLoader(), board), await replica(FakeLoader(), board)
    await one.load(config("second"))
    assert (await other.find("second")).engine is not (await one.find("second")).engine
    await other.update("second", {"model": "better"})
    await one.unload("first")
    late = await replica(FakeLoader(), board)
    await asyncio.sleep(0.7)
    for models in (one, other, late):
        assert ids(models) == ["raylm/second"]
        assert (await models.find("second")).engine.model_name == "better"


async def test_a_replica_without_room_says_so_and_keeps_what_it_has(board):
    one, other = await replica(FakeLoader(), board), await replica(FakeLoader(), board)
    other._loader.full = True
    await one.load(config("second"))
    with pytest.raises(EngineError, match="does not fit"):
        await other.find("second")
    assert (await other.find("first")).engine.running
    other._loader.full = False
    await other._follow_board()
    assert (await other.find("second")).engine.running


async def test_a_replica_that_starts_late_undoes_nothing(board):
    one = await replica(FakeLoader(), board)
    await one.update("first", {"model": "better"})
    board.write("raylm/first", None, replace=False)
    assert (await one.find("first")).engine.model_name == "better"
    assert board.read()["raylm/first"].config.model == "better"


async def test_who_does_not_wait_leaves_nothing_half_done(loader, board):
    models = await replica(loader, board)
    change = asyncio.create_task(models.load(config("second")))
    await asyncio.sleep(0)
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    async with asyncio.timeout(2):
        while "raylm/second" not in ids(models):
            await asyncio.sleep(0.01)
    assert "raylm/second" in board.read()
