"""From the engine's own exposition to numbers."""

import asyncio
from dataclasses import replace

from raylm.serve.meters import Meters
from raylm_apps.gateway.engine.figures import Pace, readings_of
from tests.serve.conftest import FakeEngine


def test_what_a_real_exposition_says() -> None:
    engine = FakeEngine()
    meters = Meters(lambda: {"raylm/fake": engine})
    nothing = readings_of(meters.exposition().decode(), 1.0)["raylm/fake"]
    assert (nothing.generated_tokens, nothing.first_token_s) == (0, None)
    stats = engine.stats()
    assert (nothing.waiting, nothing.running) == (stats.waiting, stats.running)
    assert nothing.cache_used == 1 - stats.free_blocks / stats.total_blocks

    async def answer() -> None:
        from raylm.core.sampling import SamplingParams
        from raylm.serve.generation import generate

        batches = generate(engine, [[1, 2, 3]], SamplingParams(max_tokens=5), "id")
        async for _ in meters.watch("raylm/fake", batches):
            pass

    asyncio.run(answer())
    after = readings_of(meters.exposition().decode(), 2.0)["raylm/fake"]
    assert after.generated_tokens > 0
    assert after.prompt_tokens > 0
    assert after.first_token_s is not None
    assert after.born > 0


def test_the_pace_is_that_between_two_readings_of_one_replica() -> None:
    reading = readings_of('raylm_engine_total_blocks{model="m"} 4\n', 0.0)["m"]
    first = replace(reading, born=1.0, at=100.0, generated_tokens=50.0)
    pace = Pace()
    assert pace.tokens_per_second("m", first) is None
    assert pace.tokens_per_second("m", replace(first, at=100.1, generated_tokens=60.0)) is None
    assert pace.tokens_per_second("m", replace(first, at=102.0, generated_tokens=90.0)) == 20.0
    other = replace(first, born=2.0, at=102.1, generated_tokens=5.0)
    assert pace.tokens_per_second("m", other) is None
    assert pace.tokens_per_second("m", replace(first, at=102.2, generated_tokens=99.0)) == 20.0
    late = replace(first, at=300.0, generated_tokens=999.0)
    assert pace.tokens_per_second("m", late) is None
