import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from raylm_apps.gateway.files.extraction import Extractor
from tests.apps.gateway.files.samples import document, pdf, pdf_bomb, stream


async def test_the_text_of_a_pdf() -> None:
    text = await Extractor().text_of(pdf("Hello (world)", "Page two"))
    assert text == "Hello (world)\nPage two"


async def test_a_long_document_is_cut() -> None:
    assert await Extractor(max_chars=8).text_of(pdf("Hello", "Page two", "three")) == "Hello\nPa"


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7 and nothing else", b"%PDF-" + os.urandom(2_000), pdf("x")[:-60]]
)
async def test_a_broken_document_costs_nothing(data: bytes) -> None:
    assert await Extractor().text_of(data) in ("", "x")


async def test_what_was_read_before_a_bomb_is_kept() -> None:
    """The second page's content, of 260 kB, inflates to 256 MiB."""
    bomb = stream(_content_of(pdf_bomb(256 << 20)), "/Filter /FlateDecode ")
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents {} 0 R "
        "/Resources << /Font << /F1 3 0 R >> >> >>"
    )
    data = document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            page.format(5).encode(),
            stream(b"BT /F1 12 Tf 1 1 Td (first page) Tj ET"),
            page.format(7).encode(),
            bomb,
        ]
    )
    assert await Extractor(max_bytes=200 << 20).text_of(data) == "first page"


def _content_of(bomb: bytes) -> bytes:
    return bomb.rpartition(b"stream\n")[0].rpartition(b"stream\n")[2].removesuffix(b"\nend")


async def test_the_limit_of_memory_holds() -> None:
    assert await Extractor(max_bytes=1 << 20).text_of(pdf("Hello")) == ""


async def test_a_document_without_end_is_left() -> None:
    """A gigantic number of operators: parsed for minutes, unless it is stopped."""
    endless = document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>",
            stream(b"BT /F1 12 Tf " + b"1 1 Td (again) Tj " * 500_000 + b"ET"),
        ]
    )
    started = time.monotonic()
    await Extractor(timeout_s=2).text_of(endless)
    assert time.monotonic() - started < 20


async def test_the_process_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "spy.py"
    script.write_text("import os; print(sorted(os.environ))")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setattr("raylm_apps.gateway.files.extraction.SCRIPT", script)
    assert "OPENAI_API_KEY" not in await Extractor().text_of(b"%PDF-")


async def test_a_reader_that_goes_away_leaves_no_process() -> None:
    sleeper = asyncio.create_task(Extractor().text_of(pdf("x") + b"\n" * 50_000_000))
    await asyncio.sleep(0.1)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if sys.platform == "linux" and children.exists():
        running = [
            Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()
        ]
        assert not any(b"pdf_text" in command for command in running)
