"""Text wherever it lies: files, globs and folders of plain text, JSON lines or Parquet.

A source yields documents one by one, always in the same order, and never holds more than
one file's text at a time.
"""

import gzip
import hashlib
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from raylm.core.errors import DataError, MissingDependencyError

STDLIB = "stdlib"
SUFFIXES = (".txt", ".md", ".py", ".jsonl", ".parquet")

# A long text file (a book, a corpus) is a collection: it is cut into sections, so that some
# of it can be held out. Shorter files stay whole.
LONG_TEXT = 128 * 1024
SECTION = 4 * 1024

_NOT_STDLIB = {"site-packages", "dist-packages", "test", "tests", "idlelib", "__pycache__"}


@dataclass(frozen=True, slots=True)
class TextSource:
    """`text_field` names the text in a JSON or Parquet row."""

    files: tuple[Path, ...]
    text_field: str = "text"

    def documents(self) -> Iterator[str]:
        """Every non-empty document; raises DataError naming the file and place."""
        for file in self.files:
            yield from (document for document in self._read(file) if document.strip())

    def fingerprint(self) -> str:
        """Changes with the list of files, their sizes and their times of change."""
        digest = hashlib.blake2b(self.text_field.encode(), digest_size=16)
        for file in self.files:
            state = file.stat()
            digest.update(f"\0{file}\0{state.st_size}\0{state.st_mtime_ns}".encode())
        return digest.hexdigest()

    def _read(self, file: Path) -> Iterator[str]:
        match kind_of(file):
            case ".jsonl":
                return _json_lines(file, self.text_field)
            case ".parquet":
                return _parquet(file, self.text_field)
            case _:
                return _text(file)


def open_source(paths: str | Sequence[str], text_field: str = "text") -> TextSource:
    """`stdlib`, files, folders and globs, in the order given; raises DataError naming a path."""
    paths = (paths,) if isinstance(paths, str) else paths
    found = [file for path in paths for file in _files(path)]
    return TextSource(tuple(dict.fromkeys(found)), text_field)


def kind_of(file: Path) -> str:
    """The suffix that tells the format; `.gz` only wraps it."""
    return (file.with_suffix("") if file.suffix == ".gz" else file).suffix


def sections(text: str, limit: int = SECTION) -> Iterator[str]:
    """Pieces of at most `limit` characters, cut at a blank line, else a line's end, else hard."""
    start = 0
    while len(text) - start > limit:
        for end in ("\n\n", "\n"):
            cut = text.rfind(end, start, start + limit)
            if cut > start:
                stop = cut + len(end)
                break
        else:
            stop = start + limit
        yield text[start:stop]
        start = stop
    yield text[start:]


def _files(path: str) -> list[Path]:
    if path == STDLIB:
        return _stdlib()
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    if place.is_dir():
        if files := [f for f in sorted(place.rglob("*")) if _is_data(f, place)]:
            return files
        raise DataError(f"no data in {path!r}: the folder holds no {', '.join(SUFFIXES)} files")
    if files := _matches(place):
        return files
    raise DataError(f"no data at {path!r}: no such file or folder, and no file matches it")


def _matches(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor)
    try:
        return [f for f in sorted(root.glob(str(pattern.relative_to(root)))) if f.is_file()]
    except ValueError:  # `**` glued to other characters
        return []


def _stdlib() -> list[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    return [f for f in sorted(root.rglob("*.py")) if not _NOT_STDLIB & set(f.parts)]


def _is_data(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return not hidden and kind_of(file) in SUFFIXES and file.is_file()


def _text(file: Path) -> Iterator[str]:
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text (byte {error.start})") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from None
    return sections(text) if len(text) > LONG_TEXT else iter((text,))


def _json_lines(file: Path, field: str) -> Iterator[str]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _field_of(line, field, f"{file}, line {number}")
    except (OSError, EOFError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from None


def _field_of(line: bytes, field: str, where: str) -> str:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get(field), str):
        known = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        raise DataError(f"{where}: no text field {field!r} (has: {known}); set data.text_field")
    return str(row[field])


def _parquet(file: Path, field: str) -> Iterator[str]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingDependencyError(
            f"reading {file.name} needs pyarrow; run: pip install 'raylm[train]'"
        ) from None
    try:
        table = parquet.ParquetFile(file)
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{file}: not a Parquet file: {error}") from None
    if field not in table.schema_arrow.names:
        known = ", ".join(table.schema_arrow.names)
        raise DataError(f"{file}: no text field {field!r} (has: {known}); set data.text_field")
    for batch in table.iter_batches(columns=[field]):
        yield from (text for text in batch.column(0).to_pylist() if isinstance(text, str))
