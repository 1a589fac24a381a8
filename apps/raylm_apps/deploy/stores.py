"""The databases of a stack: the user's own where named, else embedded ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.settings import Settings


@dataclass(frozen=True)
class Stores:
    urls: StoreUrls
    embedded: EmbeddedStores | None

    def revive(self) -> list[str]:
        """Start again what has died; returns the names."""
        return self.embedded.revive() if self.embedded else []


@contextmanager
def running_stores(settings: Settings, data_dir: Path) -> Iterator[Stores]:
    """Embedded stores stop at the end. Call it on the main thread, whose death they follow."""
    if settings.database_url is not None and settings.redis_url is not None:
        yield Stores(StoreUrls(settings.database_url, settings.redis_url), None)
        return
    embedded = EmbeddedStores(data_dir)
    urls = embedded.start()
    try:
        yield Stores(
            StoreUrls(
                settings.database_url or urls.database_url, settings.redis_url or urls.redis_url
            ),
            embedded,
        )
    finally:
        embedded.stop()
