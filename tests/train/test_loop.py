"""The loop over a real trainer in this process; the same over Ray is in test_recipes."""

from itertools import pairwise

import pytest
import torch

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.save import saved_steps
from raylm.core.errors import CheckpointError
from raylm.core.metrics import read_jsonl


def rows(run):
    return read_jsonl(run / "metrics.jsonl")


def events(run, name):
    return [event for event in read_jsonl(run / "events.jsonl") if event["event"] == name]


def _parameters(trainer):
    return list(trainer.engine.module.parameters())


def test_a_run_learns_and_leaves_everything_behind(make_config, train_alone, tmp_path):
    config = make_config(steps=40, evaluation__every=20, checkpoint__every=20)
    updates, _ = train_alone(config, tmp_path)
    assert [update.step for update in updates] == list(range(1, 41))
    assert updates[-1].loss < 0.7 * updates[0].loss
    evaluated = [update.step for update in updates if update.heldout_loss is not None]
    assert evaluated == [1, 20, 40]
    assert updates[-1].heldout_loss < 0.8 * updates[0].heldout_loss
    assert [event["step"] for event in events(tmp_path, "checkpoint_saved")] == [20, 40]
    for update, row in zip(updates, rows(tmp_path), strict=True):
        assert update.to_dict() == {k: v for k, v in row.items() if k != "t"}


def test_every_documented_key_is_in_every_row(make_config, train_alone, tmp_path):
    _, trainer = train_alone(make_config(), tmp_path)
    keys = (
        "step loss lr grad_norm tokens tokens_per_second step_seconds loss_scale skipped "
        "world_size membership_epoch param_bytes grad_bytes optimizer_bytes peak_bytes "
        "comm_bytes sample_index_first sample_index_last"
    )
    for row in rows(tmp_path):
        assert set(keys.split()) <= row.keys()
    model = trainer.engine.module
    parameters = sum(p.nbytes for p in model.parameters())
    assert row["param_bytes"] == row["grad_bytes"] == parameters
    assert row["optimizer_bytes"] == 2 * parameters + 4 * len(list(model.parameters()))
    assert row["peak_bytes"] > 50 * 2**20
    assert row["comm_bytes"] == 0
    assert row["tokens"] == 8 * 16


def test_the_samples_of_the_steps_join_without_a_gap(make_config, train_alone, tmp_path):
    updates, _ = train_alone(make_config(), tmp_path)
    assert updates[0].sample_index_first == 0
    for before, after in pairwise(updates):
        assert after.sample_index_first == before.sample_index_last + 1
    assert updates[-1].sample_index_last == 6 * 8 - 1


@pytest.mark.parametrize("stop_after", [2, 3])
def test_a_stopped_run_goes_on_bit_by_bit_as_if_it_had_not_been(
    make_config, train_alone, tmp_path, stop_after
):
    config = make_config(steps=7, batch__micro=4)
    whole, expected = train_alone(config, tmp_path / "whole")
    asked = iter([False] * stop_after + [True])
    stopped, _ = train_alone(config, tmp_path / "parts", stop=lambda: next(asked))
    assert [update.step for update in stopped] == list(range(1, stop_after + 1))
    assert Checkpoint.open(tmp_path / "parts").manifest.step == stop_after
    _, found = train_alone(config, tmp_path / "parts", resume="auto")
    names = ("step", "loss", "lr", "grad_norm", "sample_index_first", "heldout_loss")
    for a, b in zip(rows(tmp_path / "whole"), rows(tmp_path / "parts"), strict=True):
        assert [a.get(name) for name in names] == [b.get(name) for name in names]
    for a, b in zip(_parameters(expected), _parameters(found), strict=True):
        assert torch.equal(a, b)
    assert len(whole) == 7


def test_steps_after_the_checkpoint_are_done_again_and_appear_once(
    make_config, train_alone, tmp_path
):
    """A kill loses the steps since the last checkpoint, not the order of what is logged."""
    config = make_config(steps=5)
    train_alone(config, tmp_path)
    before = rows(tmp_path)
    checkpoint = tmp_path / "checkpoints" / "step-00000004"
    updates, _ = train_alone(config, tmp_path, resume=checkpoint)
    assert [update.step for update in updates] == [5]
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5]
    assert rows(tmp_path)[-1]["loss"] == before[-1]["loss"]


def test_a_finished_run_has_nothing_left_to_do(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    assert train_alone(make_config(), tmp_path, resume="auto")[0] == []
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    longer, _ = train_alone(make_config(steps=8), tmp_path, resume="auto")
    assert [update.step for update in longer] == [7, 8]


def test_old_checkpoints_go_and_the_last_step_is_always_saved(make_config, train_alone, tmp_path):
    train_alone(make_config(steps=7), tmp_path)
    assert saved_steps(tmp_path / "checkpoints") == [6, 7]
    train_alone(make_config(checkpoint__every=0), tmp_path / "rare")
    assert saved_steps(tmp_path / "rare" / "checkpoints") == [6]


def test_another_model_cannot_resume(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path)
    wider = make_config(steps=9, model__hidden_size=64)
    with pytest.raises(CheckpointError, match="has the shape"):
        train_alone(wider, tmp_path, resume="auto")
