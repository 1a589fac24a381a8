import pytest

from raylm.checkpoint.durable_file import durable


def test_the_name_appears_with_the_whole_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with durable(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_failure_leaves_nothing_of_the_new_and_all_of_the_old(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), durable(path) as file:
        file.writelines([bytes(100_000), None])
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
