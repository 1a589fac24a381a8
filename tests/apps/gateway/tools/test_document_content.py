import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.tools.base import ToolError
from raylm_apps.gateway.tools.document_content import finished, rows_of, unfenced


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1\n", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n", "x = 1\n"),
        ("Here:\n\n  ```py title=a\nx = 1\n  ```\nDone.", "x = 1\n"),
        ("```a\none\n```\nor\n```b\ntwo\n```", "one\n"),
        ("# x\n" * 200 + "```\nin a docstring\n```\n",) * 2,
        ("print('```')\n",) * 2,
    ],
)
def test_fences(text: str, code: str) -> None:
    assert unfenced(text) == code


def test_a_text_keeps_its_fences() -> None:
    assert finished("text", "```\nx\n```") == "```\nx\n```"


@given(st.lists(st.lists(st.text(alphabet='ab",\n é', min_size=1), min_size=1), min_size=1))
def test_tables_survive(rows: list[list[str]]) -> None:
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    table = rows_of(rows_of("".join(_csv(row) for row in rows)))
    assert list(csv.reader(table.splitlines(keepends=True), strict=True)) == kept


def _csv(row: list[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n"


def test_rows_before_the_first_broken_one_stay() -> None:
    assert rows_of('a,b\n1,2\n3,"4') == "a,b\n1,2\n"


@pytest.mark.parametrize("text", ['"a', '"a"b', '"' + "x" * 140_000 + '"'])
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ToolError, match="not CSV"):
        rows_of(text)
