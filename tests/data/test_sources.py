import gzip
import json

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import DataError
from raylm.data.sources import LONG_TEXT, SECTION, open_source, sections


def read(*paths, **options):
    return list(open_source([str(path) for path in paths], **options).documents())


def rows(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def test_every_format_yields_its_documents(tmp_path):
    (tmp_path / "a.txt").write_text("plain")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"zipped"))
    (tmp_path / "c.jsonl").write_text(rows("one", "two") + "\n")
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(rows("three").encode()))
    table = arrow.table({"text": ["four", None, "five"], "id": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "e.parquet")
    everything = ["plain", "zipped", "one", "two", "three", "four", "five"]
    assert read(tmp_path) == everything
    assert read(tmp_path / "e.parquet", tmp_path / "a.txt") == ["four", "five", "plain"]
    assert read(tmp_path / "*.jsonl*") == ["one", "two", "three"]


def test_a_folder_is_searched_deeply_in_a_fixed_order_without_foreign_files(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "b.md").write_text("deep")
    (tmp_path / "a.py").write_text("first")
    (tmp_path / ".git" / "c.txt").write_text("hidden")
    (tmp_path / "d.bin").write_bytes(b"\xff")
    assert read(tmp_path) == ["first", "deep"]
    assert read(tmp_path / "a.py", tmp_path) == ["first", "deep"]


def test_empty_documents_are_dropped(tmp_path):
    (tmp_path / "a.jsonl").write_text(rows("", " \n", "text"))
    assert read(tmp_path / "a.jsonl") == ["text"]


def test_the_standard_library_is_real_text():
    source = open_source("stdlib")
    names = {file.name for file in source.files}
    assert {"argparse.py", "asyncio", "json"} & names == {"argparse.py"}
    assert not any("site-packages" in str(file) for file in source.files)
    assert "def " in next(iter(source.documents()))
    assert len(source.files) > 300


def test_a_long_text_is_a_collection_and_a_short_one_is_whole(tmp_path):
    paragraph = "x" * 98 + "\n\n"
    (tmp_path / "long.txt").write_text(paragraph * (LONG_TEXT // 100 + 1))
    (tmp_path / "short.txt").write_text(paragraph * 1000)
    long = read(tmp_path / "long.txt")
    assert len(long) > 20
    assert all(piece.endswith("\n\n") for piece in long)
    assert len(read(tmp_path / "short.txt")) == 1


@given(st.text(alphabet="ab\n", max_size=200), st.integers(1, 20))
def test_sections_lose_nothing_and_keep_the_limit(text, limit):
    pieces = list(sections(text, limit))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= limit


def test_sections_prefer_blank_lines():
    text = "a" * SECTION + "\n\n" + "b" * 10
    assert list(sections("one\n\ntwo\nthree", 10)) == ["one\n\n", "two\nthree"]
    assert next(iter(sections(text))) == "a" * SECTION


def test_the_fingerprint_follows_the_files(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    before = open_source(str(file)).fingerprint()
    assert open_source(str(file)).fingerprint() == before
    assert open_source(str(file), "other").fingerprint() != before
    file.write_text("three")
    assert open_source(str(file)).fingerprint() != before


@pytest.mark.parametrize("path", ["nowhere.txt", "nothing/*.txt", "**a"])
def test_a_missing_path_is_named(path):
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert repr(path) in str(caught.value)


def test_a_folder_without_data_is_named(tmp_path):
    with pytest.raises(DataError, match=r"the folder holds no \.txt, "):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", b"\xff\xfe", r"not UTF-8 text \(byte 0\)"),
        ("a.txt.gz", b"no gzip", "cannot be read"),
        ("a.jsonl", b'{"text": "x"}\n{"text": 1}\n', "line 2: no text field 'text'"),
        ("a.jsonl", b'{"body": "x"}\n', r"line 1: no text field 'text' \(has: body\)"),
        ("a.jsonl", b"{nonsense\n", "line 1: not JSON"),
        ("a.jsonl", b"[1]\n", r"line 1: no text field 'text' \(has: list\)"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        ("a.parquet", b"PAR1 no", "not a Parquet file"),
    ],
)
def test_bad_content_is_one_line_with_the_place(tmp_path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_without_the_field_says_what_it_has(tmp_path):
    parquet.write_table(arrow.table({"body": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"no text field 'text' \(has: body\)"):
        read(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", text_field="body") == ["x"]
