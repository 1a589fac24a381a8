"""Reading a file that is being appended to."""

from pathlib import Path

from raylm.core.metrics import JsonlWriter
from raylm_apps.gateway.runs.lines import MOST_BYTES, Place, last_rows, read_after, read_all

NAME = "metrics.jsonl"


def test_each_line_is_read_once_and_a_half_written_one_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b'{"step":1}\n{"st')
    first = read_after(tmp_path, NAME, Place())
    assert first.rows == [{"step": 1}]
    assert read_after(tmp_path, NAME, first.place).rows == []
    with path.open("ab") as file:
        file.write(b'ep":2}\n')
    second = read_after(tmp_path, NAME, first.place)
    assert second.rows == [{"step": 2}]
    assert not second.is_anew


def test_a_file_made_anew_is_told_and_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b'{"step":1}\n{"step":2}\n')
    place = read_all(tmp_path, NAME).place
    draft = tmp_path / "draft"
    draft.write_bytes(b'{"step":1}\n')
    draft.replace(path)
    again = read_after(tmp_path, NAME, place)
    assert again.is_anew
    assert again.rows == [{"step": 1}]
    path.unlink()
    assert read_after(tmp_path, NAME, again.place).is_anew


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    nothing = read_after(tmp_path, NAME, Place())
    assert (nothing.rows, nothing.place, nothing.is_anew) == ([], Place(), False)
    with JsonlWriter(tmp_path / NAME) as writer:
        writer.write({"step": 1})
    begun = read_after(tmp_path, NAME, nothing.place)
    assert (begun.rows, begun.is_anew) == ([{"step": 1}], False)


def test_lines_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"step":1}\n\x00\x00\n[1]\nnull\n{"step":2}\n')
    assert [row["step"] for row in read_all(tmp_path, NAME).rows] == [1, 2]


def test_a_long_file_is_read_in_pieces_and_its_end_alone(tmp_path: Path) -> None:
    count = MOST_BYTES // 50
    with JsonlWriter(tmp_path / NAME) as writer:
        for step in range(count):
            writer.write({"step": step, "filling": "x" * 80})
    assert len(read_after(tmp_path, NAME, Place()).rows) < count
    assert [row["step"] for row in read_all(tmp_path, NAME).rows] == list(range(count))
    last = last_rows(tmp_path, NAME, 1_000)
    assert [row["step"] for row in last] == list(range(count - len(last), count))
    assert len(last) > 5


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(b'{"step":1}\n')
    run = tmp_path / "run"
    run.mkdir()
    (run / NAME).symlink_to(secret)
    assert read_all(run, NAME).rows == []
    assert last_rows(run, NAME) == []
