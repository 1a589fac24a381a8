"""Stores of their own: others' gateways would have to take part where Redis loses everything."""

from collections.abc import Iterator

import pytest

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls


@pytest.fixture(scope="package")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUrls]:
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as urls:
        yield urls
