from pathlib import Path

from raylm.core.metrics import JsonlWriter, read_jsonl


def test_lines_survive_without_closing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    writer = JsonlWriter(path)
    writer.write({"step": 1})
    assert read_jsonl(path) == [{"step": 1}]
    writer.close()


def test_a_torn_last_line_is_skipped_and_appending_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonlWriter(path) as writer:
        writer.event("epoch_started", epoch=1)
    with path.open("ab") as file:
        file.write(b'{"step": 2, "lo')
    (event,) = read_jsonl(path)
    assert event["event"] == "epoch_started"
    assert event["t"] > 0
    assert event["epoch"] == 1
