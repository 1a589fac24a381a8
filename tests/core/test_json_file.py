import pytest

from raylm.core.errors import WeightsError
from raylm.core.json_file import read_json_object, write_json_object


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "config.json"
    write_json_object(path, {"name": "naïve", "sizes": [1, 2.5, None]})
    assert read_json_object(path) == {"name": "naïve", "sizes": [1, 2.5, None]}
    assert "naïve" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "cannot be read as JSON"),
        (b"\xff{}", "cannot be read as JSON"),
        (b"[1]", "holds a JSON list, not an object"),
        (b"[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_the_file_at_fault_is_named(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        read_json_object(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json: no such file"):
        read_json_object(tmp_path / "config.json")
