"""How much memory is left, and what does not fit into it."""

import re

import pytest

from raylm.core.errors import OutOfMemoryError
from raylm.core.schema import ModelConfig
from raylm.serve import loader
from raylm.serve.memory import available_bytes
from tests.tiny_model import write_tiny_model

MEMINFO = "MemTotal:       24000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n"


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path / "meminfo"


def container(folder, limit):
    folder.mkdir()
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text("3000000\n")
    (folder / "memory.stat").write_text("anon 1000000\ninactive_file 500000\n")
    return folder


def test_the_machine_limits_who_has_no_container(machine, tmp_path):
    assert available_bytes(machine, tmp_path / "nothing") == 8_000_000 << 10
    assert available_bytes(machine, container(tmp_path / "free", "max")) == 8_000_000 << 10


def test_a_container_limits_too_but_its_page_cache_gives_way(machine, tmp_path):
    tight = container(tmp_path / "tight", 4_000_000)
    assert available_bytes(machine, tight) == 4_000_000 - 3_000_000 + 500_000


@pytest.fixture
def models(tmp_path):
    return [str(write_tiny_model(tmp_path / name)) for name in ("tiny", "drafting")]


def needed_mb(monkeypatch, **options):
    """What is said to be missing where nothing is left."""
    with monkeypatch.context() as patch:
        patch.setattr(loader, "available_bytes", lambda: -1)
        with pytest.raises(OutOfMemoryError) as caught:
            loader.require_room(ModelConfig(max_running=1000, **options))
    return int(re.search(r"about (\d+) MB", str(caught.value))[1]), str(caught.value)


@pytest.mark.parametrize("split", [1, 2])
def test_a_draft_model_takes_as_much_again(models, monkeypatch, split):
    """Workers have memory of their own; who guesses for them is in this process."""
    model, drafting = models
    alone, _ = needed_mb(monkeypatch, model=model)
    both, message = needed_mb(
        monkeypatch,
        model=model,
        quantization="none" if split > 1 else "auto",
        speculation="draft",
        draft_model=drafting,
        tensor_parallel=split,
    )
    assert alone > 100
    assert both == pytest.approx(alone * (2 if split == 1 else 1), abs=2)
    assert "drafting" in message


def test_what_does_not_fit_is_refused_before_it_is_loaded(tmp_path, monkeypatch):
    model = str(write_tiny_model(tmp_path / "tiny"))
    loader.require_room(ModelConfig(model=model))
    monkeypatch.setattr(loader, "available_bytes", lambda: 100_000)
    with pytest.raises(OutOfMemoryError, match="unload a model"):
        loader.require_room(ModelConfig(model=model))
