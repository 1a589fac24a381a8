import shutil

import pytest
import yaml

from raylm.core.errors import CheckpointError, InUseError, UsageError
from raylm.core.schema import TrainConfig
from raylm.train.rundir import RunDirectory, choose_start, newest_of


@pytest.fixture
def finished(make_config, train_alone, tmp_path):
    config = make_config()
    train_alone(config, tmp_path / "run")
    return config, tmp_path / "run"


def test_a_new_run_has_a_name_and_a_time(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = choose_start(make_config(), None, None)
    assert start.folder.parent.name == "runs"
    assert start.folder.name.startswith("test-2")
    assert (start.step, start.samples, start.checkpoint) == (0, 0, None)
    start.folder.mkdir(parents=True)
    second = choose_start(make_config(), None, None)
    assert second.folder != start.folder


def test_the_resolved_config_is_written_and_loads(make_config, tmp_path):
    config = make_config()
    RunDirectory(tmp_path, config).close()
    assert TrainConfig.load(tmp_path / "config.yaml") == config
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["schedule"]["name"] == "cosine"


def test_a_run_is_not_overwritten(finished):
    config, run = finished
    with pytest.raises(InUseError, match=r"already holds a run; continue it with --resume auto"):
        choose_start(config, run, None)


def test_a_run_that_never_made_a_step_is_no_obstacle(make_config, tmp_path):
    config = make_config()
    RunDirectory(tmp_path, config).close()
    assert choose_start(config, tmp_path, None).checkpoint is None


def test_an_output_that_is_a_file_is_refused(make_config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        choose_start(make_config(), tmp_path / "file", None)


def test_auto_takes_the_latest_checkpoint_or_starts_afresh(finished, tmp_path):
    config, run = finished
    start = choose_start(config, run, "auto")
    assert (start.folder, start.step, start.samples) == (run, 6, 48)
    assert choose_start(config, tmp_path / "new", "auto").step == 0
    with pytest.raises(UsageError, match="--resume auto needs --output"):
        choose_start(config, None, "auto")


def test_a_checkpoint_is_resumed_in_its_own_run_or_elsewhere(finished, tmp_path):
    config, run = finished
    checkpoint = run / "checkpoints" / "step-00000004"
    assert choose_start(config, None, checkpoint).folder.resolve() == run.resolve()
    assert choose_start(config, run, checkpoint).step == 4
    elsewhere = choose_start(config, tmp_path / "other", checkpoint)
    assert (elsewhere.folder, elsewhere.step) == (tmp_path / "other", 4)
    RunDirectory(elsewhere.folder, config).close()
    with pytest.raises(CheckpointError, match="neither a checkpoint nor a run"):
        choose_start(config, None, tmp_path / "nowhere")


def test_a_checkpoint_does_not_overwrite_another_run(finished, make_config, train_alone, tmp_path):
    config, run = finished
    train_alone(config, tmp_path / "second")
    with pytest.raises(InUseError, match="already holds a run"):
        choose_start(config, tmp_path / "second", run)


def test_what_a_run_falls_back_to_is_its_own(finished, make_config):
    """Steps 2, 4 and 6 are saved; of which 2 is gone."""
    _, run = finished
    older = choose_start(make_config(), run, run / "checkpoints" / "step-00000004")
    directory = RunDirectory(run, make_config())
    assert newest_of(older) == older  # step 6 is of the run before
    shutil.copytree(run / "checkpoints" / "step-00000006", run / "checkpoints" / "again")
    directory.event("checkpoint_saved", step=6, path=str(run / "checkpoints" / "again"))
    directory.event("checkpoint_saved", step=8, path=str(run / "checkpoints" / "gone"))
    directory.close()
    assert newest_of(older).checkpoint.folder == run / "checkpoints" / "again"
