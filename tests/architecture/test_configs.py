from pathlib import Path

import pytest

from raylm.core.config import Config
from raylm.core.schema import TrainConfig, UpConfig
from raylm_apps.gateway.routing.config import ProvidersConfig

CONFIGS = Path(__file__).parents[2] / "configs"
SCHEMAS: dict[str, type[Config]] = {"train": TrainConfig, "serve": UpConfig}
OWN_SCHEMAS: dict[str, type[Config]] = {"serve/providers.yaml": ProvidersConfig}
FILES = sorted(CONFIGS.rglob("*.yaml"))


def test_there_are_configs() -> None:
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    name = path.relative_to(CONFIGS)
    OWN_SCHEMAS.get(str(name), SCHEMAS[name.parts[0]]).load(path)


def test_the_index_names_every_config() -> None:
    index = (CONFIGS / "README.md").read_text()
    assert [path for path in FILES if path.name not in index] == []
