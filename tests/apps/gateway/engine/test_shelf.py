"""What a run has saved is what the real engine loads, under the name that was foretold."""

from pathlib import Path

import pytest

from raylm.checkpoint.manifest import MANIFEST, Manifest, describe_files
from raylm.core.schema import ModelConfig
from raylm.serve.loader import EngineLoader
from raylm_apps.gateway.engine.shelf import loadable, served_id
from raylm_apps.gateway.runs.checkpoints import find_checkpoint
from raylm_apps.gateway.runs.shelf import Runs
from tests.apps.gateway.runs.run_folder import WrittenRun
from tests.tiny_model import write_tiny_model


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    """With a checkpoint of real weights."""
    run = WrittenRun(tmp_path / "runs", "mine").start()
    folder = write_tiny_model(run.directory.checkpoints / "step-00000007", max_positions=128)
    manifest = Manifest(
        step=7, samples=7, world_size=1, config={}, files=describe_files(folder, {})
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    (run.directory.checkpoints / "latest").symlink_to(folder.name)
    return run


async def test_a_saved_model_is_loaded_by_that_name(run: WrittenRun) -> None:
    checkpoint = find_checkpoint(run.folder, "latest")
    assert checkpoint is not None
    assert (checkpoint.name, checkpoint.step) == ("step-00000007", 7)
    config = ModelConfig(model=str(checkpoint.path), kv_cache_bytes=1 << 20, quantization="none")
    assert EngineLoader().id_of(config) == served_id("mine", checkpoint)
    engine = EngineLoader().load(config)
    await engine.start()
    try:
        assert engine.max_model_len == 128
    finally:
        await engine.shutdown()


async def test_what_can_be_loaded_is_what_was_named_and_saved(run: WrittenRun) -> None:
    found = await loadable(("smollm2", "/models/large/"), Runs(run.folder.parent))
    assert [(one.id, one.run, one.step) for one in found] == [
        ("raylm/smollm2", None, None),
        ("raylm/large", None, None),
        ("raylm/mine-step-00000007", "mine", 7),
    ]
