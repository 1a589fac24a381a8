import time

import pytest

from raylm.core.errors import DataError
from raylm.core.metrics import JsonlWriter, read_jsonl
from raylm.train.plot import plot_run, smoothed, step_at


def test_a_run_is_drawn_with_its_events(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path)
    with JsonlWriter(tmp_path / "events.jsonl") as events:
        events.event("worker_lost", rank=1, pid=7, reason="killed")
    picture = plot_run(tmp_path, tmp_path / "pictures" / "run.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 30_000
    drawing = plot_run(tmp_path, tmp_path / "run.svg").read_text()
    assert "<svg" in drawing


def test_events_are_placed_at_the_step_they_followed(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path)
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert step_at(rows, rows[2]["t"]) == 3
    assert step_at(rows, rows[0]["t"] - 1) == 0
    assert step_at(rows, time.time()) == 6


def test_the_first_step_alone_can_be_drawn(make_config, train_alone, tmp_path):
    train_alone(make_config(steps=1), tmp_path)
    assert plot_run(tmp_path, tmp_path / "one.png").exists()


def test_a_skipped_step_leaves_a_gap(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path)
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    with JsonlWriter(tmp_path / "metrics.jsonl") as metrics:
        metrics.write(rows[-1] | {"step": 7, "loss": None, "grad_norm": None, "skipped": 1})
    assert plot_run(tmp_path, tmp_path / "run.png").exists()


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(DataError, match="nothing to draw"):
        plot_run(tmp_path, tmp_path / "run.png")


def test_smoothing_is_unbiased_and_follows():
    assert smoothed([3.0]) == [3.0]
    assert smoothed([2.0] * 500) == pytest.approx([2.0] * 500)
    wave = smoothed([0.0, 1.0] * 500)
    assert 0.4 < wave[-1] < 0.6
