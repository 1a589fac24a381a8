import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from raylm.core.errors import ConfigError
from raylm_apps.gateway.providers.listing import Listing
from raylm_apps.gateway.routing.config import ProvidersConfig
from raylm_apps.gateway.routing.offer import Offer
from raylm_apps.gateway.routing.reading import follow_file
from tests.apps.gateway.routing.bench import catalog_of

LOOK_EVERY_S = 0.01


async def test_a_broken_file_is_read_and_complained_about_once(tmp_path: Path) -> None:
    path, times_read = tmp_path / "providers.yaml", 0
    path.write_text("good")

    def read() -> Offer:
        nonlocal times_read
        times_read += 1
        if path.read_text() == "broken":
            raise ConfigError("broken")
        return Offer(ProvidersConfig(), Listing([]))

    with capture_logs() as said:
        following = asyncio.create_task(follow_file(path, read, catalog_of(), LOOK_EVERY_S))
        await asyncio.sleep(5 * LOOK_EVERY_S)
        assert times_read == 0
        for content in ("broken", "good again"):
            path.write_text(content)
            await asyncio.sleep(20 * LOOK_EVERY_S)
        following.cancel()
    assert times_read == 2
    assert [line["log_level"] for line in said] == ["error", "info"]
