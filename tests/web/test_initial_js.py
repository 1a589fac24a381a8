"""What a browser must load before the page shows anything stays small."""

import gzip
import re

import pytest

from raylm_apps.gateway.routes.pages import STATIC

BUDGET_BYTES = 200_000
SCRIPT = re.compile(r'(?:src|href)="/([^"]+\.js)"')


def test_the_scripts_of_the_page_are_within_their_budget() -> None:
    index = STATIC / "index.html"
    if not index.is_file():
        pytest.skip("the web UI is not built: run `make web`")
    names = SCRIPT.findall(index.read_text())
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}
    assert len(sizes) > 1
    assert sum(sizes.values()) <= BUDGET_BYTES, sorted(sizes.items(), key=lambda item: -item[1])
