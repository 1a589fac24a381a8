"""Real engines come and go, and leave nothing behind."""

import asyncio
import gc

import pytest

from raylm.core.errors import ModelNotFoundError
from raylm.core.sampling import SamplingParams
from raylm.core.schema import ModelConfig
from raylm.infer.async_engine import AsyncLLM
from raylm.serve.board import LocalBoard
from raylm.serve.loader import EngineLoader
from raylm.serve.models import Models
from tests.tiny_model import write_tiny_model

GREEDY = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)


def living():
    gc.collect()
    return sum(type(thing) is AsyncLLM for thing in gc.get_objects())


@pytest.fixture
def options(tmp_path):
    def of(seed):
        folder = write_tiny_model(tmp_path / f"tiny-{seed}", seed=seed)
        return {"model": str(folder), "quantization": "none", "threads": 1}

    return of


async def test_an_exchanged_engine_is_freed(options):
    before = living()
    models = Models(EngineLoader(), LocalBoard(), drain_s=5)
    models.open(ModelConfig(**options(1), name="tiny"))
    await models.start()
    said = []
    for seed in (2, 1):
        said.append(await (await models.find("tiny")).engine.generate([1, 2, 3], GREEDY))
        await models.update("tiny", options(seed))
    said.append(await (await models.find("tiny")).engine.generate([1, 2, 3], GREEDY))
    assert said[0].token_ids == said[2].token_ids != said[1].token_ids
    async with asyncio.timeout(5):
        while living() != before + 1:
            await asyncio.sleep(0.05)
    await models.unload("tiny")
    assert living() == before
    await models.shutdown(0)


def test_an_id_is_the_name_or_comes_from_the_model(options):
    loader = EngineLoader()
    assert loader.id_of(ModelConfig(**options(1))) == "raylm/tiny-1"
    assert loader.id_of(ModelConfig(**options(1), name="mine")) == "mine"
    with pytest.raises(ModelNotFoundError):
        loader.id_of(ModelConfig(model="no-such-model"))
