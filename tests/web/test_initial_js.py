"""What a browser must load before the page shows anything stays small."""

import pytest

from benchmarks.web.figures import INITIAL_JS_BAR_KB, initial_scripts
from raylm_apps.gateway.routes.pages import STATIC


def test_the_scripts_of_the_page_are_within_their_budget() -> None:
    if not (STATIC / "index.html").is_file():
        pytest.skip("the web UI is not built: run `make web`")
    sizes = initial_scripts()
    assert len(sizes) > 1
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])
    assert sum(sizes.values()) <= 1000 * INITIAL_JS_BAR_KB, heaviest
