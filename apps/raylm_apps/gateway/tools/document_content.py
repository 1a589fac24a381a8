"""What of a model's words is the document: no fences around code, rows in a table."""

import csv
import io
import re

from raylm_apps.gateway.store.documents import Kind
from raylm_apps.gateway.tools.base import ToolError

_OPENING = re.compile(r"^[ \t]*```[^\n`]*\n", re.MULTILINE)
_CLOSING = re.compile(r"^[ \t]*```[ \t]*$", re.MULTILINE)
# A fence further down belongs to the code, a docstring's for instance.
PREAMBLE_CHARS = 500


def readable(kind: Kind, text: str) -> str:
    """The document as far as it has come."""
    return text if kind == "text" else unfenced(text)


def finished(kind: Kind, text: str) -> str:
    """The document as it is stored; empty where the model wrote none. Raises ToolError."""
    content = readable(kind, text)
    if not content.strip():
        return ""
    return rows_of(content) if kind == "sheet" else content


def unfenced(text: str) -> str:
    """The inside of the first fence, without what the model says around it."""
    opening = _OPENING.search(text, 0, text.find("\n", PREAMBLE_CHARS) + 1 or len(text))
    if opening is None:
        return text
    closing = _CLOSING.search(text, opening.end())
    return text[opening.end() : closing.start() if closing else len(text)]


def rows_of(text: str) -> str:
    """The table's rows up to the first that is not CSV. Raises ToolError where none is."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        if not rows:
            raise ToolError(f"The table is not CSV: {error}.") from error
    return _csv(rows)


def check_rows(text: str) -> None:
    """Raises ToolError unless the whole is CSV."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), strict=True):
            pass
    except csv.Error as error:
        raise ToolError(f"After this edit the table would not be CSV: {error}.") from error


def _csv(rows: list[list[str]]) -> str:
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue()
